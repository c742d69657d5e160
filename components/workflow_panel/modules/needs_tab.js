import { Findings } from "orchestrator-panel/node_tab.js";

// What the workflow needs, and which backends have it.
export const NeedsTab = {
  components: { Findings },
  props: { needs: Object, t: Function, tn: Function },
  emits: ["pick", "show"],
  template: `
    <div v-if="needs" class="o-wp-needs" data-testid="needs">
      <p class="o-wp-sum" data-testid="needs-summary">{{ needs.summary }}</p>
      <h3>{{ t("Can run on") }}</h3>
      <ul>
        <li v-for="each in needs.backends" :key="each.id" :data-testid="'needs-' + each.id" :data-ok="each.ok">
          <details :open="open.has(each.id)" @toggle="toggle(each.id, $event)">
            <summary><svg class="o-i o-i-s" aria-hidden="true"><use :href="each.ok ? '#o-i-done' : each.online ? '#o-i-fail' : '#o-i-slash'" /></svg><span class="o-trunc" dir="auto">{{ each.name }}</span><span class="o-mut o-trunc o-wp-right" :title="each.text" dir="auto">{{ each.text }}</span></summary>
            <Findings v-if="each.lacks.length" :findings="each.lacks" :t="t" pick @pick="$emit('pick', $event)" @show="$emit('show', $event)" />
            <p v-else class="o-sec">{{ t("It has everything.") }}</p>
          </details>
        </li>
      </ul>
      <p v-if="!needs.backends.length" class="o-sec">{{ t("No backend is set up yet.") }} <a href="/settings?add=machine">{{ t("Add a machine") }}</a></p>
      <template v-if="needs.models.length">
        <h3>{{ t("Models") }}</h3>
        <ul><li v-for="each in needs.models" :key="each.folder + each.name" class="o-wp-line"><svg class="o-i o-i-s" aria-hidden="true"><use :href="each.where.length ? '#o-i-layers' : '#o-i-alert'" /></svg><span class="o-mono o-wrap" dir="auto">{{ each.name }}</span><span class="o-mut o-wp-right" :title="each.where.join(', ')">{{ where(each) }}</span></li></ul>
      </template>
      <h3>{{ t("Node classes") }}</h3>
      <ul><li v-for="each in needs.classes" :key="each.name" class="o-wp-line"><svg class="o-i o-i-s" aria-hidden="true"><use :href="each.where.length ? '#o-i-check' : '#o-i-alert'" /></svg><span class="o-trunc" :title="each.class" dir="auto">{{ each.name }}<template v-if="each.count > 1"> × {{ each.count }}</template></span><span class="o-mut o-wp-right" :title="each.where.join(', ')">{{ where(each) }}</span></li></ul>
    </div>
    <div v-else class="o-wp-none" aria-hidden="true"><i v-for="n in 4" :key="n" class="o-skeleton"></i></div>`,
  data: () => ({ open: new Set() }),
  methods: {
    toggle(id, event) {
      if (event.target.open) this.open.add(id);
      else this.open.delete(id);
    },
    where(each) {
      if (!each.where.length) return this.t("nowhere");
      return each.where.length === 1 ? each.where[0] : this.tn("{n} backends", each.where.length);
    },
  },
};
