import { FormTab } from "orchestrator-panel/form_tab.js";
import { NeedsTab } from "orchestrator-panel/needs_tab.js";
import { NodeTab } from "orchestrator-panel/node_tab.js";
import { speaker } from "orchestrator/i18n.js";
import { VersionsTab } from "orchestrator-panel/versions_tab.js";

const TABS = ["node", "form", "needs", "versions"];

// What is to say and to set about a workflow beside its graph, in four tabs.
export default {
  components: { FormTab, NeedsTab, NodeTab, VersionsTab },
  props: { texts: Object, workflow: String },
  emits: ["op", "pick", "show", "suggest", "compare", "restore", "tab"],
  template: `
    <aside class="o-wp" data-testid="workflow-panel" :aria-label="t('About the workflow')">
      <div class="o-wp-tabs" role="tablist" :aria-label="t('About the workflow')" @keydown.left.prevent="step(-1)" @keydown.right.prevent="step(1)">
        <button v-for="each in tabs" :key="each" type="button" role="tab" :id="'o-wp-tab-' + each" :ref="'tab-' + each" :aria-selected="tab === each" :tabindex="tab === each ? 0 : -1" aria-controls="o-wp-body" :data-testid="'tab-panel-' + each" @click="choose(each)">{{ names[each] }}<span v-if="each === 'needs' && wrong" class="o-wp-dot" :title="t('Something is missing')"></span></button>
      </div>
      <div id="o-wp-body" class="o-wp-body" role="tabpanel" :aria-labelledby="'o-wp-tab-' + tab" tabindex="-1">
        <NodeTab v-if="tab === 'node'" :node="state.node" :count="state.count" :findings="ofNode" :general="state.findings" :t="t" :tn="tn" :locked="state.locked" @op="$emit('op', $event)" @pick="pick" @show="$emit('show', $event)" />
        <FormTab v-if="tab === 'form'" :parameters="state.parameters" :suggested="state.suggested" :t="t" :tn="tn" :locked="state.locked" @op="$emit('op', $event)" @suggest="$emit('suggest', $event)" @show="$emit('show', $event)" />
        <section v-show="tab === 'form' && state.parameters.length" class="o-wp-preview" data-testid="form-preview" :aria-label="t('How artists see it')"><h3>{{ t("How artists see it") }}</h3><slot></slot></section>
        <NeedsTab v-if="tab === 'needs'" :needs="state.needs" :t="t" :tn="tn" @pick="pick" @show="$emit('show', $event)" />
        <VersionsTab v-if="tab === 'versions'" :versions="state.versions" :comparison="state.comparison" :dirty="state.dirty" :workflow="workflow" :t="t" :tn="tn" :locked="state.locked" @compare="$emit('compare', $event)" @restore="$emit('restore', $event)" @show="$emit('show', $event)" />
      </div>
    </aside>`,
  data: () => ({
    tab: "node",
    state: { node: null, count: 0, findings: [], parameters: [], suggested: [], needs: null, versions: [], comparison: null, dirty: false, locked: false },
  }),
  created() {
    Object.assign(this, speaker(this.texts));
  },
  computed: {
    tabs: () => TABS,
    names() {
      return { node: this.t("Node"), form: this.t("Form"), needs: this.t("Needs"), versions: this.t("Versions") };
    },
    ofNode() {
      return this.state.findings.filter((each) => each.node === this.state.node?.path);
    },
    wrong() {
      return Boolean(this.state.needs?.backends.length) && !this.state.needs.backends.some((each) => each.ok);
    },
  },
  methods: {
    apply(part) {
      Object.assign(this.state, part);
    },
    open(tab) {
      this.$el.closest(".o-builder")?.classList.add("o-panel-open"); // where it is a drawer
      this.choose(tab);
    },
    choose(tab) {
      if (this.tab === tab) return;
      this.tab = tab;
      this.$emit("tab", tab);
    },
    step(by) {
      const next = TABS[(TABS.indexOf(this.tab) + by + TABS.length) % TABS.length];
      this.choose(next);
      this.$refs[`tab-${next}`]?.[0]?.focus();
    },
    pick(choice) {
      this.$emit("pick", choice);
    },
  },
};
