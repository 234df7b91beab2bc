#include "report/page.h"

#include <math.h>
#include <string.h>

#include "report/json.h"

static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6470;--line:#d9dde2;--paper:#fff;"
    "--card:#f5f6f8;--good:#1d7a46;--bad:#c02a3e;--open:#8a6d00}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa4b0;--line:#363c44;"
    "--paper:#14171a;--card:#1d2125;--good:#5fc98c;--bad:#f07a89;--open:#e0bf4f}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 "
    "system-ui,sans-serif}\n"
    "main{max-width:54rem;margin:0 auto;padding:1rem}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:.8rem 0 .3rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.2rem;margin:2.2rem 0 .4rem;padding-top:.8rem;border-top:1px solid "
    "var(--line)}\n"
    "h3{font-size:1rem;margin:1.6rem 0 .3rem}\n"
    "p{margin:.5rem 0;max-width:46rem}\n"
    "figure{margin:1rem 0}\n"
    "figure svg{display:block;width:100%;max-width:46rem;height:auto;font-family:inherit}\n"
    "figcaption,caption{color:var(--soft);font-size:.875rem;text-align:left}\n"
    "figcaption{max-width:46rem}\n"
    ".scroll{overflow-x:auto;margin:1rem 0}\n"
    "table{border-collapse:collapse;font-size:.875rem;min-width:50%}\n"
    "caption{padding-bottom:.3rem}\n"
    "caption span{display:inline-block;max-width:min(46rem,calc(100vw - 2rem))}\n"
    "th,td{padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid var(--line)}\n"
    "th{font-weight:600;color:var(--soft);vertical-align:bottom}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    ".facts{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0;padding:0;list-style:none}\n"
    ".facts li{background:var(--card);border-radius:.5rem;padding:.5rem .8rem}\n"
    ".facts b{display:block;font-size:1.15rem}\n"
    ".facts span{color:var(--soft);font-size:.875rem}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}.open{color:var(--open)}\n"
    "td .good,td .bad,td .open{white-space:nowrap}\n"
    ".notice{border-left:4px solid var(--bad);background:var(--card);padding:.5rem .8rem}\n"
    "details{margin:.6rem 0}summary{color:var(--soft);font-size:.875rem;cursor:pointer}\n"
    "pre{background:var(--card);padding:.6rem .8rem;border-radius:.5rem;overflow-x:auto}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.8rem 0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
    "footer{color:var(--soft);font-size:.875rem;margin:2.5rem 0 1rem}\n"
    "@media print{body{font-size:.8rem}.scroll{overflow:visible}}\n"
    "</style>\n";

void rf_page_head(struct rf_text *page, const char *run)
{
    rf_text_add(page,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'\">\n<title>");
    rf_text_add_html(page, run);
    rf_text_add(page, " - ringfence report</title>\n");
    rf_text_add(page, STYLE);
    rf_text_add(page, "</head>\n<body><main>\n");
}

void rf_page_foot(struct rf_text *page, const char *version, const char *files, int plots)
{
    rf_text_add(page, "<footer><p>Made by ringfence ");
    rf_text_add_html(page, version);
    rf_text_add(page, " from ");
    rf_text_add_html(page, files);
    rf_text_add(page, ". This page loads nothing from a network and runs no script.");
    if (!plots)
        rf_text_add(page, " Plots were left out because gnuplot could not be run; after "
                          "installing it, `ringfence report` adds them.");
    rf_text_add(page, "</p></footer>\n</main></body></html>\n");
}

const char *rf_page_worst_verdict(const json_t *pledges)
{
    const char *worst = "";

    for (size_t i = 0; i < json_array_size(pledges); i++) {
        const char *verdict = rf_json_text(json_array_get(pledges, i), "verdict");

        if (strcmp(verdict, "broken") == 0 || worst[0] == '\0' || strcmp(worst, "kept") == 0)
            worst = verdict;
    }
    return worst;
}

void rf_page_verdict(struct rf_text *page, const char *verdict)
{
    const char *look = strcmp(verdict, "kept") == 0     ? "good"
                       : strcmp(verdict, "broken") == 0 ? "bad"
                                                        : "open";

    if (verdict[0] == '\0')
        return;
    rf_text_addf(page, "<li><b class=\"%s\">", look);
    rf_text_add_html(page, verdict);
    rf_text_add(page, "</b><span>pledge</span></li>\n");
}

void rf_page_fact(struct rf_text *page, double value, int digits, const char *suffix,
                  const char *what)
{
    if (isfinite(value))
        rf_text_addf(page, "<li><b>%.*f%s</b><span>%s</span></li>\n", digits, value, suffix,
                     what);
}

void rf_page_text_fact(struct rf_text *page, const char *text, const char *what)
{
    rf_text_add(page, "<li><b>");
    rf_text_add_html(page, text);
    rf_text_addf(page, "</b><span>%s</span></li>\n", what);
}
