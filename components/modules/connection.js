// Whether the server is there, for every component that must not pretend when it is not.
import { reactive } from "vue";

export const connection = reactive({ live: true });

// The page's socket is made right after the components are mounted.
function attach() {
  if (!window.socket) return void setTimeout(attach, 50);
  window.socket.on("connect", () => (connection.live = true));
  window.socket.on("disconnect", () => (connection.live = false));
  window.socket.io.on("reconnect_error", () => (connection.live = false));
}

attach();
