// What scrolls can be reached by keyboard, and regions that the theme makes have names of their own.
function name() {
  for (const region of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
    region.tabIndex = region.scrollWidth > region.clientWidth ? 0 : -1;
  }
  document.querySelectorAll(".md-code__nav").forEach((region, number) => {
    region.ariaLabel = `Code ${number + 1}`;
  });
}

new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
addEventListener("resize", name);
name();
