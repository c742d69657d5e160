// The keys of the canvas. Letters act only while it has the focus and nobody types.
const STEP_PX = 8;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// By the place of the key as well, so that they work in a Russian layout too.
const LETTERS = {
  KeyA: "select-all", KeyC: "connect", KeyF: "fit", KeyG: "group", KeyL: "layout", KeyM: "mute", KeyB: "bypass", KeyH: "collapse", Period: "fit", Equal: "zoom-in", Minus: "zoom-out", NumpadAdd: "zoom-in", NumpadSubtract: "zoom-out",
};
const COMMANDS = { KeyA: "select-all", KeyD: "duplicate", KeyF: "search", KeyG: "subgraph", KeyS: "save", KeyY: "redo", KeyZ: "undo", Enter: "run", Digit0: "zoom-reset", Equal: "zoom-in", Minus: "zoom-out" };
const CHANGES = new Set(["mute", "bypass", "collapse", "group", "subgraph", "layout", "duplicate", "connect", "remove", "undo", "redo"]);
const isTyping = (element) => element.closest?.("input, textarea, select, [contenteditable=true], [role=dialog], [role=menu]");

export const keyMethods = {
  onPointer(event) {
    this.pointer = { clientX: event.clientX, clientY: event.clientY };
    this.moveFinger(event);
  },
  onPointerGone() {
    this.pointer = null;
  },
  onKeyUp(event) {
    if (!event.key.startsWith("Arrow")) return;
    event.stopPropagation();
  },
  onKey(event) {
    if (event.defaultPrevented || event.isComposing) return;
    const command = event.ctrlKey || event.metaKey ? this.commandOf(event) : null;
    if (isTyping(event.target) && !["save", "run"].includes(command)) return;
    const isDone = command ? this.act(command) : this.plainKey(event);
    if (isDone === false) return;
    event.preventDefault();
    event.stopPropagation();
  },
  commandOf(event) {
    const command = COMMANDS[event.code] ?? COMMANDS[event.key];
    return command === "undo" && event.shiftKey ? "redo" : command;
  },
  plainKey(event) {
    if (event.ctrlKey || event.metaKey) return false;
    if (event.key in ARROWS) return this.arrowKey(event, ARROWS[event.key]);
    if (event.altKey) return false;
    switch (event.key) {
      case "Tab":
        return event.shiftKey || !this.isOnCanvas(event) ? false : this.act("add");
      case "Delete":
      case "Backspace":
        return this.act("remove");
      case "Enter":
        return this.editNode(event);
      case "F2":
        return this.act("rename");
      case "ContextMenu":
        return this.menuByKey();
      case "F10":
        return event.shiftKey ? this.menuByKey() : false;
      case "Escape":
        return this.escape();
      case "Home":
        return this.act("fit");
      case "/":
        return this.graph.readonly ? false : this.$refs.palette?.focus();
      default:
        if (event.key === "?") return this.act("help");
        return !(event.code in LETTERS) || event.shiftKey ? false : this.act(LETTERS[event.code]);
    }
  },
  isOnCanvas(event) {
    return event.target === this.$refs.stage || event.target.matches("article[data-node]");
  },
  arrowKey(event, [dx, dy]) {
    if (event.altKey) return this.walk(dx, dy);
    const step = event.shiftKey ? STEP_PX * 4 : STEP_PX;
    if (this.nudge(dx * step, dy * step)) return true;
    this.flow.panBy({ x: -dx * step * 4, y: -dy * step * 4 });
    return true;
  },
  escape() {
    if (this.graph.connecting) {
      this.flow.endConnection(undefined, true);
      this.graph.connecting = null;
    } else if (this.said) this.said = null;
    else if (this.flow.getSelectedElements.value.length) this.choose([]);
    else if (this.graph.path) this.enter(this.graph.path.split(":").slice(0, -1).join(":"));
    else return false;
    return true;
  },
  // False: it was not for us, let the page have it.
  act(command) {
    if (this.graph.readonly && CHANGES.has(command)) return false;
    const deeds = {
      add: () => this.openQuick(this.pointer ?? this.middle()),
      bypass: () => this.setMode("bypassed"),
      collapse: () => this.collapse(),
      connect: () => this.beginWire(),
      copy: () => this.copy(),
      duplicate: () => this.duplicate(),
      fit: () => this.fit(),
      focus: () => this.focus(),
      group: () => this.group(),
      help: () => this.toggleHelp(),
      layout: () => this.arrange(),
      mute: () => this.setMode("muted"),
      paste: () => this.paste(),
      redo: () => this.$emit("redo"),
      remove: () => this.remove(),
      rename: () => this.renameFocused(),
      run: () => this.$emit("run"),
      save: () => this.$emit("save"),
      search: () => this.openSearch(),
      "select-all": () => this.selectAll(),
      subgraph: () => this.makeSubgraph(),
      undo: () => this.$emit("undo"),
      "zoom-in": () => this.zoomBy(1),
      "zoom-out": () => this.zoomBy(-1),
      "zoom-reset": () => this.zoomBy(0),
    };
    if (["undo", "redo", "save", "run"].includes(command)) this.flushNudge();
    return deeds[command]?.() ?? command in deeds;
  },
  toggleHelp() {
    this.helping = !this.helping;
  },
  openSearch() {
    this.searching = true;
    this.$nextTick(() => this.$refs.search?.focus?.());
  },
  closeSearch() {
    this.searching = false;
    this.elsewhere = [];
    this.focus();
  },
};
