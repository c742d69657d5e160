/** An icon of the page's sprite, as markup for a template. */
export const icon = (name, extra = "") =>
  `<svg class="o-i ${extra}" aria-hidden="true"><use href="#o-i-${name}"></use></svg>`;
