// What keys do inside a widget: they stay there, so that Backspace deletes no node and M mutes
// none; only commands to the whole page go on.

export const hasCommand = (event) => (event.ctrlKey || event.metaKey) && ["s", "S", "ы", "Ы", "Enter"].includes(event.key);

export function keepKeys(event) {
  if (!hasCommand(event)) event.stopPropagation();
}

// Back from a widget to the node it is in, where the keys of the graph work again.
export function leaveToNode(event) {
  const node = event.target.closest(".vue-flow__node, [data-node]");
  event.target.blur();
  node?.focus?.({ preventScroll: true });
}
