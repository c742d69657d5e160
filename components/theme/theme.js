// Runs in <head>, before anything is painted, so that no page flashes in the wrong theme.
window.oTheme = (() => {
  const system = matchMedia("(prefers-color-scheme: light)");
  let wanted = "system";
  const apply = () => {
    const light = wanted === "light" || (wanted === "system" && system.matches);
    document.documentElement.dataset.theme = light ? "light" : "dark";
  };
  system.addEventListener("change", apply);
  return (theme) => {
    wanted = theme;
    apply();
  };
})();
