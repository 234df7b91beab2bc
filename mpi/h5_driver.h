/* h5_driver.h - how HDF5 writes a new file, so that a full disk does not end the program; for h5.c.
 *
 * When a write fails while HDF5 flushes, its cache stays in a state in which the file cannot be
 * closed, and the library dies on it when the program ends. This driver remembers the first
 * failure and goes on as though it had not happened; whoever closes the file then asks. */
#ifndef RF_MPI_H5_DRIVER_H
#define RF_MPI_H5_DRIVER_H

#include <hdf5.h>

/* Local. Files made with this access list go through the driver. *code is 0 until a call fails, and
 * then its errno; it has to live as long as the file. Negative: HDF5 does not take the driver. */
herr_t rf_h5_driver_set(hid_t access, int *code);

#endif
