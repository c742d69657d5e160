import { speaker } from "orchestrator/i18n.js";
import { clock, watchClock } from "orchestrator/time.js";

const GB = 1024 ** 3;
const HOT = 0.88;
const ICONS = { on: "done", away: "fail", new: "clock", off: "slash", rest: "hold", try: "hold", dry: "lock" };
const KINDS = { comfyui: "cpu", embedded: "flask", bfl: "cloud" };

// This app and every backend, one card each, in the order of the fleet.
export default {
  props: { texts: Object },
  template: `
    <nav class="o-services" data-testid="services-strip" :aria-label="t('Services')">
      <a v-for="card in shown" :key="card.id" class="o-service" :class="{ 'o-service-hot': card.hot }" :href="card.href"
         :data-testid="'service-card-' + card.id" :data-state="card.state" :title="card.title">
        <span class="o-service-name">
          <svg class="o-i o-service-state" aria-hidden="true"><use :href="'#o-i-' + card.icon" /></svg>
          <span class="o-trunc">{{ card.name }}</span>
          <span v-if="card.gpu" class="o-service-gpu o-trunc">{{ card.gpu }}</span>
          <svg v-else class="o-i o-i-s o-service-kind" aria-hidden="true"><use :href="'#o-i-' + card.symbol" /></svg>
        </span>
        <span class="o-service-facts"><span class="o-trunc">{{ card.left }}</span><span>{{ card.right }}</span></span>
        <span class="o-bar" :class="{ 'o-service-no-bar': card.used === null }"><i :style="{ width: (card.used ?? 0) * 100 + '%' }"></i></span>
      </a>
      <a v-if="order && !shown.some((card) => card.machine)" class="o-service o-service-add" href="/settings?add=machine" data-testid="service-add">
        <span class="o-service-name"><svg class="o-i" aria-hidden="true"><use href="#o-i-plus" /></svg><span class="o-trunc">{{ t("Add a machine") }}</span></span>
      </a>
      <template v-if="!order"><span v-for="n in expected" :key="n" class="o-service o-skeleton"></span></template>
    </nav>`,
  data() {
    return { order: null, cards: {} };
  },
  created() {
    Object.assign(this, speaker(this.texts), { expected: Number(localStorage.getItem("o-services") ?? 2) });
  },
  mounted() {
    this.unwatch = watchClock();
  },
  unmounted() {
    this.unwatch();
  },
  computed: {
    shown() {
      return (this.order ?? []).filter((id) => this.cards[id]).map((id) => this.face(id, this.cards[id]));
    },
  },
  methods: {
    snapshot(order, cards) {
      this.order = order;
      this.cards = cards;
      localStorage.setItem("o-services", order.length);
    },
    apply(order, changed) {
      if (!this.order) return;
      this.order = order;
      this.cards = { ...this.cards, ...changed };
    },
    face(id, card) {
      if (card.kind === "panel") return this.panel(card);
      // Nothing is sent when its rest is over: time alone does that.
      if (card.state === "rest" && card.until && new Date(card.until) <= clock.now) card = { ...card, state: "try" };
      const used = card.vramTotal ? Math.min(1, Math.max(0, 1 - card.vramFree / card.vramTotal)) : null;
      const live = ["on", "rest", "try"].includes(card.state);
      const word = this.word(card);
      const gpu = card.gpu?.replace(/^cuda:\d+ /, "").replace(/ : .*$/, "").replace(/^NVIDIA (GeForce )?/, "");
      return {
        id,
        name: card.name,
        machine: card.kind === "comfyui",
        state: card.state,
        icon: ICONS[card.state],
        symbol: KINDS[card.kind] ?? "cpu",
        gpu: card.kind === "comfyui" ? gpu : null,
        href: `/diagnostics#backend-${id}`,
        left: word,
        right: this.fact(card, live),
        used: card.kind === "comfyui" ? (live ? used ?? 0 : 0) : null,
        hot: live && used > HOT,
        title: [`${card.name}: ${word}`, card.gpu, card.others ? this.t("{n} of others", { n: card.others }) : "", card.why || card.error].filter(Boolean).join("\n"),
      };
    },
    panel(card) {
      return {
        id: "panel",
        name: this.t("Panel"),
        state: card.paused ? "rest" : "on",
        icon: card.paused ? "pause" : "done",
        symbol: "dash",
        href: "/diagnostics",
        left: card.paused ? this.t("Paused") : this.tn("{n} running", card.running),
        right: this.tn("{n} waiting", card.queued),
        used: null,
        title: this.t("Panel"),
      };
    },
    word(card) {
      if (card.state === "off") return this.t("switched off");
      if (card.state === "dry") return this.t("dry run");
      if (card.state === "new") return this.t("not connected yet");
      if (card.state === "away") return card.seen ? this.t("offline {age}", { age: this.age(clock.now - new Date(card.seen)) }) : this.t("offline");
      if (card.state === "rest") return this.t("resting");
      if (card.state === "try") return this.t("trying again");
      const work = card.ours ? this.tn("{n} job", card.ours) : card.others ? "" : this.t("idle");
      const others = card.others ? `${card.ours ? "+" : ""}${this.t("{n} of others", { n: card.others })}` : "";
      const jobs = [work, others].filter(Boolean).join(" ");
      return card.latency === null ? jobs : `${jobs} · ${this.t("{ms} ms", { ms: card.latency })}`;
    },
    fact(card, live) {
      if (card.state === "rest" && card.until) return this.t("retry in {age}", { age: this.age(new Date(card.until) - clock.now) });
      if (card.kind === "embedded") return this.t("no GPU needed");
      if (card.kind === "bfl") return this.t("paid");
      if (!live || !card.vramTotal) return "";
      const gb = (bytes) => (bytes / GB).toFixed(bytes / GB >= 100 ? 0 : 1).replace(/\.0$/, "");
      return this.t("{used} / {total} GB", { used: gb(card.vramTotal - card.vramFree), total: gb(card.vramTotal) });
    },
    age(milliseconds) {
      const seconds = Math.max(0, Math.round(milliseconds / 1000));
      if (seconds < 60) return this.t("{n} s", { n: seconds });
      if (seconds < 3600) return this.t("{n} min", { n: Math.floor(seconds / 60) });
      if (seconds < 86400) return this.t("{n} h", { n: Math.floor(seconds / 3600) });
      return this.t("{n} d", { n: Math.floor(seconds / 86400) });
    },
  },
};
