#include "mpi/progress.h"

#include "report/status.h"

void rf_progress_update(struct rf_ticker *ticker, const struct rf_state *state,
                        const struct rf_tally *tally, int64_t now_us, int changed)
{
    char screen[RF_TICKER_BYTES], plain[RF_TICKER_BYTES];
    double elapsed_s = (double)(now_us - ticker->since_us) / 1e6;

    if (!rf_ticker_due(ticker, now_us, changed))
        return;
    rf_status_screen(state, tally, elapsed_s, screen, sizeof screen);
    rf_status_plain(state, tally, elapsed_s, plain, sizeof plain);
    rf_ticker_show(ticker, now_us, screen, plain);
}
