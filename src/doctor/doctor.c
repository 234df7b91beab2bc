#include "doctor/doctor.h"

#include <stdarg.h>
#include <string.h>

#include "base/terminal.h"

static const char *const names[] = {"ok", "warn", "fail"};

void rf_doctor_add(struct rf_doctor *doctor, enum rf_health health, const char *what,
                   const char *fix, const char *fmt, ...)
{
    struct rf_finding_of *item = &doctor->items[doctor->n];
    va_list args;

    if (doctor->n == RF_DOCTOR_MOST)
        return;
    doctor->n++;
    item->health = health;
    snprintf(item->what, sizeof item->what, "%s", what);
    snprintf(item->fix, sizeof item->fix, "%s", health == RF_HEALTH_OK ? "" : fix);
    va_start(args, fmt);
    vsnprintf(item->text, sizeof item->text, fmt, args);
    va_end(args);
}

enum rf_health rf_doctor_worst(const struct rf_doctor *doctor)
{
    enum rf_health worst = RF_HEALTH_OK;

    for (int i = 0; i < doctor->n; i++)
        worst = doctor->items[i].health > worst ? doctor->items[i].health : worst;
    return worst;
}

void rf_doctor_print(const struct rf_doctor *doctor, FILE *out)
{
    for (int i = 0; i < doctor->n; i++) {
        const struct rf_finding_of *item = &doctor->items[i];
        const char *name = names[item->health];
        enum rf_shade shade = rf_terminal_shade(name);

        fprintf(out, "%s%-4s%s  %-12s %s%s%s\n", rf_terminal_on(out, shade), name,
                rf_terminal_off(out, shade), item->what, item->text,
                item->fix[0] != '\0' ? " -> " : "", item->fix);
    }
}

int rf_doctor_json(const struct rf_doctor *doctor, json_t *to)
{
    json_t *list = json_array();
    int ok = 1;

    for (int i = 0; i < doctor->n; i++) {
        const struct rf_finding_of *item = &doctor->items[i];

        ok &= json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "health",
                                                    names[item->health], "what", item->what,
                                                    "text", item->text, "fix", item->fix)) == 0;
    }
    ok &= json_object_set_new(to, "health", json_string(names[rf_doctor_worst(doctor)])) == 0;
    return ok & (json_object_set_new(to, "findings", list) == 0);
}
