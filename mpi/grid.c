#include "mpi/grid.h"

int rf_grid_width(int size, int width)
{
    int best = 1;

    if (width <= 0 || width >= size)
        return size;
    for (int w = 1; w <= width; w++)
        if (size % w == 0)
            best = w;
    return best;
}

void rf_grid_make(struct rf_grid *grid, const struct rf_group *all, int width)
{
    int w = rf_grid_width(all->size, width);

    grid->all = all;
    rf_group_split(&grid->tensor, all, all->rank / w);
    rf_group_split(&grid->data, all, all->rank % w);
}

void rf_grid_free(struct rf_grid *grid)
{
    rf_group_free(&grid->data);
    rf_group_free(&grid->tensor);
}
