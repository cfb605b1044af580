/* ledger_roles.c: what roles are called. */
#include "train/ledger.h"
#include "vectrail/ledger.h"

#define HEAD(n) "head " #n " query", "head " #n " key", "head " #n " value"
#define PLACE(n) "place " #n

static const char *const names[VT_LEDGER_ROLES] = {
    "start",   "attracted", "pushed",  "path",    "document", "decay",   "rounding", "optimizer", "output", "residual",
    "mlp",     PLACE(1),    PLACE(2),  PLACE(3),  PLACE(4),   PLACE(5),  PLACE(6),   PLACE(7),    PLACE(8), PLACE(9),
    PLACE(10), PLACE(11),   PLACE(12), PLACE(13), PLACE(14),  PLACE(15), PLACE(16),  HEAD(1),     HEAD(2),  HEAD(3),
    HEAD(4),   HEAD(5),     HEAD(6),   HEAD(7),   HEAD(8),    HEAD(9),   HEAD(10),   HEAD(11),    HEAD(12), HEAD(13),
    HEAD(14),  HEAD(15),    HEAD(16),  HEAD(17),  HEAD(18),   HEAD(19),  HEAD(20),   HEAD(21),    HEAD(22), HEAD(23),
    HEAD(24),  HEAD(25),    HEAD(26),  HEAD(27),  HEAD(28),   HEAD(29),  HEAD(30),   HEAD(31),    HEAD(32), HEAD(33),
    HEAD(34),  HEAD(35),    HEAD(36),  HEAD(37),  HEAD(38),   HEAD(39),  HEAD(40),   HEAD(41),    HEAD(42), HEAD(43),
    HEAD(44),  HEAD(45),    HEAD(46),  HEAD(47),  HEAD(48),   HEAD(49),  HEAD(50),   HEAD(51),    HEAD(52), HEAD(53),
    HEAD(54),  HEAD(55),    HEAD(56),  HEAD(57),  HEAD(58),   HEAD(59),  HEAD(60),   HEAD(61),    HEAD(62), HEAD(63),
    HEAD(64)};

const char *vt_ledger_role_name(enum vt_ledger_role role) { return names[role]; }

size_t vt_ledger_route_count(void) { return VT_LEDGER_ROLES - VT_LEDGER_OUTPUT; }
const char *vt_ledger_route_name(size_t index) { return names[VT_LEDGER_OUTPUT + index]; }
