/* net_float.c: networks in float. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "network/net.h"
#include "network/tasks.h"

#define R float
#define OPS struct vt_dense
#define NET(name) vt_net_##name
#include "network/net_template.h"
