import { isRetryable } from "./board_rows.js";
import { isFinished } from "./jobs.js";

// The head of one submission's jobs: folds them, sums them up, acts on all of them.
export const GroupHead = {
  props: { group: Object, folded: Boolean, t: Function, more: Boolean, focusable: Boolean, row: String },
  emits: ["act", "focus"],
  template: `
    <div class="o-group" data-group :data-acts="actions.length">
      <button class="o-group-fold" :data-row="row" :data-testid="'job-group-' + group.id" :tabindex="focusable ? 0 : -1" :aria-expanded="!folded"
              :title="group.prompt" @click="$emit('act', 'fold')" @focus="$emit('focus')">
        <svg class="o-i o-i-s" aria-hidden="true" :data-open="!folded"><use href="#o-i-cr" /></svg>
        <span class="o-trunc o-grow" dir="auto">{{ group.prompt }}</span>
        <span class="o-num o-group-sum">{{ t("{done} of {total}", { done: group.done, total: total }) }}<template v-if="!more"> · {{ group.percent }} %</template></span>
      </button>
      <div class="o-group-acts">
        <button v-for="action in actions" :key="action.verb" class="o-icon-btn o-icon-btn-compact" :data-testid="action.testid ?? action.verb" tabindex="-1"
                :title="action.title" :aria-label="action.title" @click="$emit('act', action.verb)">
          <svg class="o-i" aria-hidden="true"><use :href="'#o-i-' + action.icon" /></svg>
        </button>
      </div>
      <div v-if="group.total <= 60" class="o-segs" aria-hidden="true"><i v-for="job in group.jobs" :key="job.id" :data-st="job.status"></i></div>
      <div class="o-group-bar" :class="{ 'o-vh': group.total <= 60 }" role="progressbar" :aria-label="t('Progress')" aria-valuemin="0" aria-valuemax="100"
           :aria-valuenow="group.percent" data-testid="group-progress"><div class="o-bar"><i :style="{ width: group.percent + '%' }"></i></div></div>
    </div>`,
  computed: {
    total() {
      return `${this.group.total}${this.more ? "+" : ""}`;
    },
    actions() {
      const { jobs } = this.group;
      return [
        { verb: "sheet-group", testid: `group-sheet-${this.group.id}`, icon: "grid", title: this.t("Contact sheet (C)") },
        ...(jobs.some(isRetryable) ? [{ verb: "retry-group", icon: "retry", title: this.t("Retry failed and cancelled (R)") }] : []),
        ...(jobs.some((job) => !isFinished(job)) ? [{ verb: "cancel-group", icon: "stop", title: this.t("Cancel the rest (Del)") }] : []),
      ];
    },
  },
};
