import { clock } from "orchestrator/time.js";
import { ago, gigabytes, inGigabytes, LOW_VRAM, milliseconds, share, stateOf, when } from "./words.js";

const CONFIRM_MS = 4000;

export default {
  inject: ["words", "board", "act"],
  template: `
    <section class="o-panel o-dg-backends" data-testid="diagnostics-backends" :aria-label="t('Backends')">
      <div class="o-panel-head"><h2>{{ t("Backends") }}</h2><span class="o-count">{{ t("{n} of {total} up", { n: up, total: board.backends.length }) }}</span></div>
      <div class="o-dg-scroll">
      <table class="o-dg-table o-dg-wide">
        <thead><tr><th>{{ t("Name") }}</th><th>{{ t("State") }}</th><th class="n">{{ t("Slots") }}</th><th>{{ t("Doing") }}</th><th class="n">{{ t("Latency") }}</th><th>{{ t("VRAM") }}</th><th><span class="o-vh">{{ t("Actions") }}</span></th></tr></thead>
        <tbody v-for="row in rows" :key="row.id" :id="'backend-' + row.id" :data-testid="'backend-row-' + row.id" :data-tone="row.state.tone">
          <tr>
            <td><button class="o-dg-name" type="button" :aria-expanded="opened === row.id" :data-testid="'backend-open-' + row.id" @click="opened = opened === row.id ? null : row.id">
              <svg class="o-i o-i-s o-dg-tone" aria-hidden="true"><use :href="'#o-i-' + row.state.icon" /></svg><b :title="row.name">{{ row.name }}</b></button></td>
            <td class="o-dg-tone-text" :data-testid="'backend-state-' + row.id">{{ t(row.state.word) }}</td>
            <td class="n o-sec">{{ row.runningJobs.length }} / {{ row.maxConcurrentJobs }}</td>
            <td class="o-sec o-trunc o-dg-doing" :title="row.doing">{{ row.doing }}</td>
            <td class="n">{{ row.latency }}</td>
            <td><div v-if="row.vramTotal" class="o-row"><div class="o-bar o-dg-bar"><i :style="{ width: row.vramShare * 100 + '%', background: row.vramShare > low ? 'var(--warn)' : 'var(--text-3)' }"></i></div><span>{{ row.vram }}</span></div></td>
            <td class="n o-dg-acts">
              <button v-for="verb in row.verbs" :key="verb.id" class="o-icon-btn o-icon-btn-compact" type="button" :title="verb.title" :aria-label="verb.title + ': ' + row.name"
                :data-testid="'backend-' + verb.id + '-' + row.id" :aria-disabled="busy[verb.id + row.id] || null" :data-danger="sure === verb.id + row.id || null" @click="press(verb.id, row)">
                <svg class="o-i o-i-s" :class="{ 'o-spin': busy[verb.id + row.id] }" aria-hidden="true"><use :href="'#o-i-' + (busy[verb.id + row.id] ? 'run' : verb.icon)" /></svg>
              </button></td>
          </tr>
          <tr v-if="opened === row.id" class="o-dg-more"><td colspan="7" :data-testid="'backend-details-' + row.id">
            <dl><template v-for="fact in facts(row)" :key="fact[0]"><dt>{{ fact[0] }}</dt><dd :class="fact[2]">{{ fact[1] }}</dd></template></dl></td></tr>
        </tbody>
      </table></div>
      <p v-if="!board.backends.length" class="o-hint o-dg-pad">{{ t("No backend is configured.") }} <a href="/settings">{{ t("Add one in Settings") }}</a></p>
      <p v-if="sure" class="o-hint o-dg-pad" role="status">{{ t("Press again to stop what runs there; its work is lost.") }}</p>
    </section>`,
  data() {
    return { opened: null, busy: {}, sure: null, low: LOW_VRAM };
  },
  created() {
    Object.assign(this, { t: this.words.t });
    this.board.onDone = (verb, id) => delete this.busy[verb + id];
  },
  mounted() {
    addEventListener("hashchange", this.openNamed);
    this.openNamed();
  },
  unmounted() {
    removeEventListener("hashchange", this.openNamed);
    clearTimeout(this.timer);
  },
  computed: {
    up() {
      return this.board.backends.filter((each) => each.online && each.enabled).length;
    },
    rows() {
      return this.board.backends.map((each) => {
        const used = each.vramTotal ? each.vramTotal - (each.vramFree ?? each.vramTotal) : 0;
        return {
          ...each,
          state: stateOf(each),
          doing: this.doing(each),
          latency: each.online && each.latencyMs !== null ? milliseconds(each.latencyMs) : "–",
          vram: `${gigabytes(used)} / ${inGigabytes(each.vramTotal ?? 0)}`,
          vramShare: share(used, each.vramTotal),
          verbs: this.verbs(each),
        };
      });
    },
  },
  methods: {
    openNamed() {
      const id = /^#backend-(.+)$/.exec(decodeURIComponent(location.hash))?.[1];
      if (!id) return;
      this.opened = id;
      this.$nextTick(() => document.getElementById(`backend-${id}`)?.scrollIntoView({ block: "center" }));
    },
    doing(backend) {
      const { t } = this;
      const job = backend.runningJobs.find((id) => this.board.progress[id]);
      const progress = job && this.board.progress[job];
      if (!backend.enabled) return "";
      if (!backend.online) return backend.lastSeen ? t("away for {time}", { time: ago(backend.lastSeen, clock.now, t) }) : (backend.lastError ?? "");
      if (progress?.steps) return `${progress.nodeTitle ?? ""} ${progress.step} / ${progress.steps}`.trim();
      if (backend.runningJobs.length) return progress?.nodeTitle ?? t("Running");
      if (backend.foreignPrompts) return this.words.tn("{n} prompt of others", backend.foreignPrompts);
      return backend.circuit === "open" ? backend.circuitReason : t("idle");
    },
    verbs(backend) {
      const { t } = this;
      const toggle = backend.enabled ? { id: "disable", icon: "pause", title: t("Disable") } : { id: "enable", icon: "play", title: t("Enable") };
      const sure = this.sure === `interrupt${backend.id}`;
      return [
        { id: "check", icon: "retry", title: t("Check now") },
        ...(backend.online && backend.kind !== "bfl" ? [{ id: "free", icon: "layers", title: t("Free memory") }] : []),
        ...(backend.online && backend.kind !== "bfl" ? [{ id: "interrupt", icon: "stop", title: sure ? t("Press again to stop what runs there; its work is lost.") : t("Interrupt") }] : []),
        ...(backend.origin === "page" ? [toggle] : []),
      ];
    },
    press(verb, backend) {
      const key = verb + backend.id;
      if (this.busy[key]) return;
      if (verb === "interrupt" && this.sure !== key) {
        this.sure = key;
        clearTimeout(this.timer);
        this.timer = setTimeout(() => (this.sure = null), CONFIRM_MS);
        return;
      }
      this.sure = null;
      this.busy[key] = true;
      this.act(verb, { id: backend.id });
    },
    facts(row) {
      const { t } = this;
      const rest = row.circuit === "closed" ? t("closed") : `${t(row.circuit === "open" ? "open" : "half open")}${row.circuitReason ? ` · ${row.circuitReason}` : ""}`;
      return [
        [t("Address"), row.url, "o-mono"],
        [t("Kind"), row.kind],
        [t("Version"), row.comfyVersion],
        [t("GPU"), row.gpuName],
        [t("Queue there"), row.online ? t("{n} prompts, {m} of others", { n: row.queueDepth, m: row.foreignPrompts }) : null],
        [t("Circuit"), rest],
        [t("Last error"), row.lastError, "o-dg-bad"],
        [t("Last seen"), row.lastSeen && when(row.lastSeen)],
        [t("RAM"), row.ramTotal && `${gigabytes(row.ramTotal - (row.ramFree ?? 0))} / ${inGigabytes(row.ramTotal)}`],
        [t("Nodes"), row.nodeCount || null],
        [t("Catalog read"), row.catalogReadAt && when(row.catalogReadAt)],
        [t("Tags"), [...row.tags, ...row.capabilities].join(", ")],
        [t("Found by trying"), row.features.join(", ")],
      ].filter(([, value]) => value);
    },
  },
};
