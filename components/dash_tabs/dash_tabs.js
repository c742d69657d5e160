import { speaker } from "orchestrator/i18n.js";
import { state } from "orchestrator/jobs.js";

const KEY = "o-dash-tab";

export default {
  props: { texts: Object },
  template: `
    <div class="o-dash-tabs o-seg" role="tablist" :aria-label="t('Parts of the dashboard')">
      <button v-for="tab in tabs" :key="tab.name" role="tab" :aria-selected="open === tab.name" :data-testid="'tab-' + tab.name" @click="show(tab.name)">
        {{ tab.title }} <span v-if="tab.count" class="o-num">{{ tab.count }}</span>
      </button>
    </div>`,
  data() {
    return { open: sessionStorage.getItem(KEY) ?? "create" };
  },
  created() {
    Object.assign(this, speaker(this.texts));
    window.oDashTab = this.show;
  },
  mounted() {
    this.show(this.open);
  },
  unmounted() {
    if (window.oDashTab === this.show) delete window.oDashTab;
  },
  computed: {
    tabs() {
      return [
        { name: "create", title: this.t("Create") },
        { name: "queue", title: this.t("Queue"), count: state.queue.running + state.queue.queued },
        { name: "results", title: this.t("Results") },
      ];
    },
  },
  methods: {
    show(name) {
      this.open = name;
      sessionStorage.setItem(KEY, name);
      this.$el.parentElement.dataset.tab = name;
      this.$el.closest("#main")?.scrollTo(0, 0);
    },
  },
};
