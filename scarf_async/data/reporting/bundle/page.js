"use strict";
{
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const options = {
    mode: "vega-lite",
    // Expressions are interpreted: the page's policy lets nothing be evaluated.
    ast: true,
    renderer: "svg",
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };
  const drawn = charts.map(({ id, spec }) => vegaEmbed(document.getElementById(id), spec, options));
  Promise.all(drawn).then(() => { document.documentElement.dataset.drawn = "true"; });

  // On paper every table is there.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => { opened.forEach((one) => { one.open = false; }); });
}
