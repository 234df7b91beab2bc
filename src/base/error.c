#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

enum rf_status rf_fail(struct rf_error *err, enum rf_status status, const char *fmt, ...)
{
    va_list args;

    if (err != NULL) {
        err->status = status;
        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
    }
    return status;
}

int rf_exit_code(enum rf_status status)
{
    switch (status) {
    case RF_OK:
        return 0;
    case RF_NO:
        return 1;
    case RF_ERR_ARG:
    case RF_ERR_CONFIG:
    case RF_ERR_INPUT:
        return 2;
    case RF_ERR_IO:
    case RF_ERR_MEMORY:
    case RF_ERR_PEER:
    case RF_ERR_FULL:
        return 3;
    case RF_AGAIN:
        return 85;
    case RF_ERR_INTERNAL:
        break;
    }
    return 4;
}
