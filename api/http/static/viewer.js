// Adds to a page that is complete without it: details of one card at a time, and arrow keys.

const cards = [...document.querySelectorAll(".chain [data-node]")];
const panel = document.querySelector(".details");
const linkOf = (card) => card.querySelector("a");
const cardOf = (id) => cards.find((card) => card.dataset.node === id);
const articleOf = (id) => document.getElementById(`node-${id}`);
let opened = null;

function show(id, { focus }) {
  const card = cardOf(id);
  const article = articleOf(id);
  if (!article) return;
  for (const one of [...cards, ...panel.querySelectorAll("article")]) one.classList.remove("chosen");
  for (const one of cards) linkOf(one).removeAttribute("aria-current");
  article.classList.add("chosen");
  panel.classList.add("open");
  panel.scrollTop = 0;
  if (card) {
    card.classList.add("chosen");
    linkOf(card).setAttribute("aria-current", "true");
    opened = card;
  }
  history.replaceState(null, "", `#node-${id}`);
  if (focus) article.querySelector("h3").focus();
}

function middle(card) {
  const box = card.getBoundingClientRect();
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

const DIRECTIONS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

// The nearest card in a direction; what lies aside counts three times as far.
function next(from, [dx, dy]) {
  const start = middle(from);
  let best = null;
  for (const card of cards) {
    const { x, y } = middle(card);
    const along = (x - start.x) * dx + (y - start.y) * dy;
    const aside = Math.abs((x - start.x) * dy) + Math.abs((y - start.y) * dx);
    const distance = along + 3 * aside;
    if (along > 1 && (best === null || distance < best.distance)) best = { card, distance };
  }
  return best && best.card;
}

function onKey(event) {
  const card = event.target.closest("[data-node]");
  if (!card || event.ctrlKey || event.metaKey || event.altKey) return;
  const ends = { Home: cards[0], End: cards[cards.length - 1] };
  const goal = event.key in DIRECTIONS ? next(card, DIRECTIONS[event.key]) : ends[event.key];
  if (!goal) return;
  event.preventDefault();
  linkOf(goal).focus();
}

function idIn(link) {
  const hash = link.getAttribute("href") ?? "";
  return hash.startsWith("#node-") ? hash.slice("#node-".length) : null;
}

document.documentElement.classList.add("has-script");
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const id = link && idIn(link);
  if (!id || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(id, { focus: true });
});
document.querySelector(".chain").addEventListener("keydown", onKey);
panel.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && opened) linkOf(opened).focus();
});
show(location.hash.startsWith("#node-") ? location.hash.slice("#node-".length) : cards[0]?.dataset.node, { focus: false });
