/* clock.h: time that only goes forward, for speeds and progress. No result may depend on it. */
#ifndef VECTRAIL_BASE_CLOCK_H
#define VECTRAIL_BASE_CLOCK_H

double vt_clock_seconds(void); /* since an arbitrary origin */

#endif
