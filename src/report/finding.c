#include "report/finding.h"

static json_t *stretch_object(struct rf_build *b, const struct rf_stretch *stretch,
                              int64_t start_us)
{
    json_t *item;

    if (stretch->begin_us < 0)
        return json_null();
    item = json_object();
    rf_build_seconds(b, item, "begin_s", stretch->begin_us - start_us);
    rf_build_seconds(b, item, "end_s", stretch->end_us - start_us);
    rf_build_wide_seconds(b, item, "promised_device_s", stretch->promised_us);
    rf_build_wide_seconds(b, item, "asked_device_s", stretch->asked_us);
    rf_build_wide_seconds(b, item, "delivered_device_s", stretch->delivered_us);
    return item;
}

static void set_stock(struct rf_build *b, json_t *item, const struct rf_finding *f,
                      int64_t start_us)
{
    rf_build_wide_seconds(b, item, "arrears_device_s", f->arrears_us);
    rf_build_wide_seconds(b, item, "arrears_max_device_s", f->arrears_max_us);
    if (rf_wide_sign(f->arrears_max_us) > 0)
        rf_build_seconds(b, item, "arrears_max_at_s", f->arrears_max_at_us - start_us);
    if (f->behind_since_us >= 0)
        rf_build_seconds(b, item, "behind_since_s", f->behind_since_us - start_us);
}

static void set_service(struct rf_build *b, json_t *item, const struct rf_finding *f)
{
    rf_build_integer(b, item, "requests", f->requests);
    rf_build_integer(b, item, "denied", f->denied);
    rf_build_seconds(b, item, "wait_p95_s", f->wait_p95_us);
    rf_build_wide_seconds(b, item, "denied_device_s", f->denied_us);
}

json_t *rf_finding_object(struct rf_build *b, const struct rf_promise *promise,
                          enum rf_definition k, const struct rf_finding *instead,
                          const struct rf_definition_options *options, int64_t start_us)
{
    const struct rf_finding *f = instead != NULL ? instead : &promise->findings[k];
    json_t *item = json_object();
    char label[32];

    rf_build_text(b, item, "account", promise->pledge.account_name);
    rf_build_set(b, item, "changed", json_boolean(promise->changed));
    rf_build_text(b, item, "definition", rf_definition_label(k, options, label));
    rf_build_text(b, item, "verdict", rf_finding_verdict_name(f->verdict));
    rf_build_integer(b, item, "judged", f->judged);
    rf_build_integer(b, item, "kept", f->kept);
    rf_build_integer(b, item, "not_asked", f->not_asked);
    rf_build_integer(b, item, "unprovable", f->unprovable);
    rf_build_integer(b, item, "broken", f->broken);
    rf_build_wide_seconds(b, item, "promised_device_s", f->promised_us);
    rf_build_wide_seconds(b, item, "asked_device_s", f->asked_us);
    rf_build_wide_seconds(b, item, "delivered_device_s", f->delivered_us);
    if (k == RF_DEFINITION_STOCK || k == RF_DEFINITION_STOCK_PLUS)
        set_stock(b, item, f, start_us);
    if (k == RF_DEFINITION_SERVICE)
        set_service(b, item, f);
    rf_build_set(b, item, "first_breach", stretch_object(b, &f->first, start_us));
    rf_build_set(b, item, "worst_breach", stretch_object(b, &f->worst, start_us));
    return item;
}
