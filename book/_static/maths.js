// Lets a keyboard reach equations too wide for their page.
(function () {
  "use strict";

  // What scrolls sideways must be reachable with a keyboard; the theme sees to all but the maths.
  function reachMaths() {
    document.querySelectorAll(".bd-article div.math").forEach(function (box) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
    });
  }

  window.addEventListener("load", reachMaths);
  var waiting;
  window.addEventListener("resize", function () {
    clearTimeout(waiting);
    waiting = setTimeout(reachMaths, 150);
  });
})();
