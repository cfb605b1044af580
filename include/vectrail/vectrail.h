/*
 * vectrail.h: everything. The headers are the manual of the library; read them in this order.
 */
#ifndef VECTRAIL_VECTRAIL_H
#define VECTRAIL_VECTRAIL_H

#include "vectrail/status.h"
#include "vectrail/version.h"
#include "vectrail/vocab.h"
#include "vectrail/corpus.h"
#include "vectrail/cooccur.h"
#include "vectrail/kernel.h"
#include "vectrail/train.h"
#include "vectrail/vectors.h"
#include "vectrail/run.h"
#include "vectrail/recorder.h"
#include "vectrail/eval.h"
#include "vectrail/compare.h"
#include "vectrail/export.h"
#include "vectrail/import.h"
#include "vectrail/measure.h"
#include "vectrail/network.h"
#include "vectrail/diagnose.h"
#include "vectrail/experiment.h"
#include "vectrail/exercise.h"
#include "vectrail/settling.h"
#include "vectrail/ledger.h"
#include "vectrail/theory.h"
#include "vectrail/dimension.h"
#include "vectrail/sweep.h"
#include "vectrail/tune.h"
#include "vectrail/align.h"
#include "vectrail/contrast.h"
#include "vectrail/view.h"
#include "vectrail/serve.h"

#endif
