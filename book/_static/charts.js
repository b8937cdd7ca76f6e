// Draws each live chart where its picture stands, once it comes near: the chart library is 900 kB.
// If anything fails, the picture stays.
(function () {
  "use strict";

  var library = document.currentScript.src.replace("charts.js", "vega.js");
  var loading = {};
  var LETTER = 7.5; // mean width of a letter of an axis title, in pixels

  function load(source) {
    loading[source] =
      loading[source] ||
      new Promise(function (done, failed) {
        var script = document.createElement("script");
        script.src = source;
        script.onload = done;
        script.onerror = failed;
        document.head.appendChild(script);
      });
    return loading[source];
  }

  // The picture that a chart replaces is the last one before its specification.
  function place(script) {
    var before = Array.prototype.filter.call(
      document.querySelectorAll(".bd-article .cell_output img"),
      function (img) {
        return script.compareDocumentPosition(img) & Node.DOCUMENT_POSITION_PRECEDING;
      }
    );
    return before[before.length - 1] || null;
  }

  function draw(script) {
    var source = script.dataset.source;
    Promise.all([load(library), load(source)]).then(function () {
      show(script, window.charts[source.split("/").pop().split(".")[0]]);
    });
  }

  function show(script, spec) {
    var picture = place(script);
    var chart = document.createElement("div");
    chart.className = "live-chart";
    (picture || script).insertAdjacentElement("beforebegin", chart);
    // A chart of one view takes the width it is given, so that its text keeps its size on a phone.
    var room = chart.clientWidth;
    var width = spec.width || (spec.config && spec.config.view && spec.config.view.continuousWidth);
    if ((spec.mark || spec.layer) && typeof width === "number" && width + 60 > room) {
      spec.width = "container";
      spec.autosize = { type: "fit-x", contains: "padding" };
      (spec.layer || [spec]).forEach(function (layer) {
        var x = layer.encoding && layer.encoding.x;
        if (x && typeof x.title === "string") x.title = lines(x.title, (room - 90) / LETTER);
      });
    }
    window
      .vegaEmbed(chart, spec, { renderer: "svg", actions: false, tooltip: true })
      .then(function () {
        chart.dataset.drawn = "true";
        name_steps(chart, spec);
        if (picture) {
          picture.hidden = true;
          var svg = chart.querySelector("svg");
          svg.setAttribute("role", "img");
          svg.setAttribute("aria-label", picture.alt);
        }
      })
      .catch(function (error) {
        chart.remove();
        console.error("a live chart could not be drawn: " + error);
      });
  }

  // An axis has no room beside it on a phone: its title goes on in a next line.
  function lines(text, most) {
    return text.split(" ").reduce(
      function (all, word) {
        var last = all[all.length - 1];
        if (!last) all[all.length - 1] = word;
        else if (last.length + word.length < most) all[all.length - 1] = last + " " + word;
        else all.push(word);
        return all;
      },
      [""]
    );
  }

  // Sliders that count steps say what a step stands for, to the ear and beside them, as the chart's
  // own heading does.
  function name_steps(chart, spec) {
    var slider = chart.querySelector("input[type=range][name=step]");
    if (!slider) return;
    var label = slider.parentElement.textContent.split(":")[0].trim();
    var names = {};
    (function walk(view) {
      ((view.data && view.data.values) || []).forEach(function (row) {
        var size = row.size || row.M;
        if (row.title || size) names[row.step] = row.title || size + " " + label;
      });
      [].concat(view.layer || [], view.hconcat || []).forEach(walk);
    })(spec);
    var shown = document.createElement("output");
    slider.insertAdjacentElement("afterend", shown);
    function say() {
      var name = names[slider.value];
      if (!name) return;
      slider.setAttribute("aria-valuetext", name);
      shown.textContent = name;
    }
    slider.addEventListener("input", say);
    say();
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("script.chart-spec").forEach(function (script) {
      var near = new IntersectionObserver(
        function (seen) {
          if (seen[0].isIntersecting) {
            near.disconnect();
            draw(script);
          }
        },
        { rootMargin: "800px" }
      );
      near.observe(place(script) || script.parentElement);
    });
  });
})();
