const PAGE = 60;

export default {
  inject: ["words", "board"],
  template: `
    <section class="o-panel o-dg-matrix" data-testid="diagnostics-matrix" :aria-label="t('What runs where')">
      <div class="o-panel-head"><h2>{{ t("What runs where") }}</h2><span class="o-grow"></span>
        <select v-model="kind" class="o-dg-field" data-testid="matrix-kind" :aria-label="t('Kind')"><option value="">{{ t("All") }}</option><option v-for="each in kinds" :key="each" :value="each">{{ each === "nodes" ? t("Nodes") : each }}</option></select>
        <input v-model="text" class="o-dg-field" type="search" data-testid="matrix-filter" :placeholder="t('Model or node')" :aria-label="t('Model or node')" /></div>
      <div class="o-dg-scroll o-dg-tall" tabindex="0" role="region" :aria-label="t('What runs where')">
        <table class="o-dg-table o-dg-mx">
          <thead><tr><th>{{ t("Needs") }}</th><th v-for="(name, index) in matrix.names" :key="matrix.backends[index]" :data-away="away(index) || null" :title="away(index) ? t('offline; as it was last seen') : name"><span class="o-trunc">{{ name }}</span></th></tr></thead>
          <tbody>
            <tr v-if="!text && !kind"><td>{{ t("Node classes") }}</td><td v-for="(count, index) in matrix.nodeCounts" :key="index" class="o-num">{{ count ?? "–" }}</td></tr>
            <tr v-for="row in shown" :key="row.kind + row.name" :data-testid="'matrix-row-' + row.name">
              <td :title="row.name"><span class="o-mut">{{ row.kind }}</span> {{ row.name }}</td>
              <td v-for="(_, index) in matrix.backends" :key="index">
                <svg v-if="row.quarantined.includes(index)" class="o-i o-i-s o-dg-aside" role="img" :aria-label="t('set aside')"><title>{{ t("set aside") }}</title><use href="#o-i-fail" /></svg>
                <svg v-else-if="row.on.includes(index)" class="o-i o-i-s o-dg-has" role="img" :aria-label="t('has it')"><title>{{ t("has it") }}</title><use href="#o-i-check" /></svg>
                <span v-else class="o-dg-not" role="img" :aria-label="t('missing')">–</span>
              </td></tr>
          </tbody></table>
        <button v-if="rows.length > shown.length" class="o-btn o-btn-quiet o-btn-compact o-dg-rest" type="button" data-testid="matrix-more" @click="count += 200">{{ words.tn("and {n} more", rows.length - shown.length) }}</button>
        <p v-if="!rows.length" class="o-hint o-dg-pad">{{ matrix.rows.length ? t("Nothing matches the filter") : t("No backend has been read yet.") }}</p>
      </div>
      <p class="o-dg-legend"><span><svg class="o-i o-i-s o-dg-has" aria-hidden="true"><use href="#o-i-check" /></svg>{{ t("has it") }}</span><span><svg class="o-i o-i-s o-dg-aside" aria-hidden="true"><use href="#o-i-fail" /></svg>{{ t("set aside") }}</span><span>– {{ t("missing") }}</span></p>
    </section>`,
  data() {
    return { text: "", kind: "", count: PAGE };
  },
  created() {
    Object.assign(this, { t: this.words.t });
  },
  computed: {
    matrix() {
      return this.board.matrix;
    },
    kinds() {
      return [...new Set(this.matrix.rows.map((row) => row.kind))];
    },
    rows() {
      const words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
      return this.matrix.rows.filter((row) => (!this.kind || row.kind === this.kind) && words.every((word) => `${row.kind} ${row.name}`.toLowerCase().includes(word)));
    },
    shown() {
      return this.rows.slice(0, this.count);
    },
  },
  methods: {
    away(index) {
      const backend = this.board.backends.find((each) => each.id === this.matrix.backends[index]);
      return backend ? !backend.online : true;
    },
  },
  watch: {
    text() {
      this.count = PAGE;
    },
    kind() {
      this.count = PAGE;
    },
  },
};
