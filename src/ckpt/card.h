/* card.h - config.json as Hugging Face keeps it beside a model's tensors: what these do not say by
 * themselves. */
#ifndef RF_CKPT_CARD_H
#define RF_CKPT_CARD_H

#include "base/error.h"

struct rf_model_card {
    int found;                   /* 0: there is no such file, and nothing below is known */
    int heads;                   /* of attention; 0: it does not say */
    double rope_theta, norm_eps; /* NAN: it does not say */
};

/* Local: the config.json in the directory of a safetensors file. RF_ERR_INPUT: it is no JSON object, or it asks
 * for something that our models do not do (another activation, scaled rotary frequencies, attention
 * that is scaled in another way), so that they would say something else than the model did. */
enum rf_status rf_model_card_read(struct rf_model_card *card, const char *safetensors,
                                  struct rf_error *err);

#endif
