// The words a component shows: `t("Cancel")`, `tn("{n} job", n)`; `texts` comes from components.i18n.
export function speaker(texts) {
  const language = document.documentElement.lang || "en";
  const plural = new Intl.PluralRules(language);
  const fill = (text, params) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in params ? params[name] : whole));
  return {
    t: (message, params = {}) => fill(texts?.[message] ?? message, params),
    tn: (message, n, params = {}) => {
      const forms = texts?.[message] ?? { other: message };
      return fill(forms[plural.select(n)] ?? forms.many ?? forms.other, { n: number(n), ...params });
    },
  };
}

export function number(n) {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, "\u2009");
}
