/** The bar that comes with a selection. */

import { icon } from "./icons.js";

export default {
  name: "GalleryBulk",
  props: { count: Number, total: Number, busy: String, words: Object },
  emits: ["download", "remove", "all", "clear"],
  template: `
  <div class="o-gal-bulk" role="toolbar" :aria-label="words.t('Selection')" data-testid="gallery-bulk">
    <span class="o-gal-bulk-count o-num" data-testid="selection-count">{{ words.n('{n} selected', count) }}</span>
    <span class="o-gal-sep"></span>
    <button type="button" class="o-btn o-btn-quiet o-btn-compact" :disabled="Boolean(busy)" @click="$emit('download')"
      :title="words.t('Download ZIP (D)')" data-testid="bulk-download">${icon("down", "o-i-s")}<span>{{ busy || words.t('Download ZIP') }}</span></button>
    <button type="button" class="o-btn o-btn-quiet o-btn-compact o-btn-danger" @click="$emit('remove')"
      :title="words.t('Delete (Del)')" data-testid="bulk-delete">${icon("trash", "o-i-s")}<span>{{ words.t('Delete') }}</span></button>
    <span class="o-gal-sep"></span>
    <button v-if="count < total" type="button" class="o-btn o-btn-quiet o-btn-compact o-gal-bulk-all" @click="$emit('all')"
      data-testid="select-all">{{ words.n('All {n} that match', total) }}</button>
    <button type="button" class="o-icon-btn" @click="$emit('clear')" :title="words.t('Clear selection (Esc)')"
      :aria-label="words.t('Clear selection (Esc)')" data-testid="selection-clear">${icon("x")}</button>
  </div>`,
};
