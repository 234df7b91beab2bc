#include "mpi/progress.h"

#include "report/status.h"

void rf_progress_show(struct rf_ticker *ticker, const struct rf_state *state,
                      const struct rf_tally *tally, const struct rf_pace *pace, int64_t planned,
                      int64_t now_us)
{
    char screen[RF_TICKER_BYTES], plain[RF_TICKER_BYTES];

    rf_status_screen(state, tally, pace, planned, screen, sizeof screen);
    rf_status_plain(state, tally, pace, planned, plain, sizeof plain);
    rf_ticker_show(ticker, now_us, screen, plain);
}
