// The colours that nodes and frames may have: each can be told from the others in both themes.
export const COLORS = ["#8a4b4b", "#8a6a3f", "#5d7a45", "#3f7a6d", "#456a92", "#6a559a", "#8a4f82"];
