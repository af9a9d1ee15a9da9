// Puts the page together. The URL's hash names the open node, so a reload or a link shows it again.

import { AlarmPanel, CollectionPanel } from "./alarms.js";
import { Detail } from "./detail.js";
import { Header } from "./header.js";
import { Live } from "./live.js";
import { Tree } from "./tree.js";

const live = new Live();
let wanted = ""; // the point whose history is asked for, by who opens a node for its sake

function open(id, point = "") {
  wanted = point;
  const hash = `#${encodeURIComponent(id)}`;
  if (location.hash === hash) follow();
  else location.hash = hash;
  if (window.innerWidth <= 900) document.getElementById("main").scrollIntoView({ block: "start" });
}

// What the address asks for, as it stands if it is no proper escape.
function asked() {
  const hash = location.hash.slice(1);
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}

function follow() {
  const id = asked() || live.order[0];
  if (!id) return;
  tree.select(id);
  detail.show(id, wanted);
  alarms.show(id);
  wanted = "";
}

// The site has been loaded anew: what is open stays so, where the reader left it.
function restore() {
  if (detail.id === null) follow();
  else {
    detail.show(detail.id);
    alarms.show(detail.id);
  }
}

new Header(live);
const tree = new Tree(live, open);
const detail = new Detail(live, open);
const alarms = new AlarmPanel(live, open);
new CollectionPanel((id) => open(id));

document.getElementById("alarm-tile").addEventListener("click", () => {
  const panel = document.getElementById("alarms");
  panel.scrollIntoView({ block: "start" });
  panel.focus({ preventScroll: true });
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash is the open node's
  document.getElementById("main").focus();
});
window.addEventListener("hashchange", follow);
live.on("structure", restore);
live.start();
