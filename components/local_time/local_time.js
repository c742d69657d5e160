import { timeOfDay } from "orchestrator/time.js";

// A moment by the clock of whoever looks at it, inside the words around it.
export default {
  props: { at: String, words: String },
  template: `<time :datetime="at">{{ shown }}</time>`,
  computed: {
    shown() {
      const language = document.documentElement.lang || "en";
      const day = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { day: "numeric", month: "short", year: "numeric" });
      return this.words.replace("{time}", `${day.format(new Date(this.at))}, ${timeOfDay(this.at)}`);
    },
  },
};
