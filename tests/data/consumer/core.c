/* Somebody else's program on rf_core: reads a share as exactly as ringfence does. */
#include <stdio.h>

#include <alloc/share.h>

int main(int argc, char **argv)
{
    struct rf_error err;
    struct rf_share share;

    if (argc != 2 || rf_share_parse(&share, argv[1], &err) != RF_OK) {
        fprintf(stderr, "core: %s\n", argc == 2 ? err.text : "which share?");
        return 2;
    }
    printf("%lld\n", (long long)rf_share_of(&share, 1000000));
    return 0;
}
