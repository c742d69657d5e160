// Desktop notifications when a long job ends while nobody looks; off until somebody asks for them.
import { reactive } from "vue";

const KEY = "o-notify-endings";
const isPossible = () => "Notification" in window && isSecureContext;

export const endings = reactive({
  choice: localStorage.getItem(KEY), // "on", "off", or null: not asked yet
  permission: isPossible() ? Notification.permission : "unsupported",
});

export const areOn = () => endings.choice === "on" && endings.permission === "granted";

// To be called while a click is handled: browsers ask for permission only then.
export async function choose(wanted) {
  if (wanted && endings.permission === "default") endings.permission = await Notification.requestPermission();
  endings.choice = wanted && endings.permission === "granted" ? "on" : "off";
  localStorage.setItem(KEY, endings.choice);
  return endings.choice === "on";
}

// Another tab may have been asked meanwhile.
addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  endings.choice = event.newValue;
  if (isPossible()) endings.permission = Notification.permission;
});

// `tag` lets the notification of one group, or of one job in several tabs, stay a single one.
export function announceEnding({ id, tag, title, body, picture }) {
  if (!areOn() || !document.hidden) return;
  const shown = new Notification(title, { body, tag, icon: picture ?? undefined });
  shown.onclick = () => {
    focus();
    window.emitEvent("sub_pages_navigate", `/jobs/${id}`);
    shown.close();
  };
}
