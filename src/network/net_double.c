/* net_double.c: networks in double. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "network/net.h"
#include "network/tasks.h"

#define R double
#define OPS struct vt_dense_double
#define NET(name) vt_net_double_##name
#include "network/net_template.h"
