/*
 * reduction.h: long arrays of floats, computed by several ranks, that are to become one sum: gradients.
 *
 * The arrays are terms, numbered, and dealt to the ranks in their order. Each rank computes its terms one after the
 * other, and adds up what it can (ordered_sum.h). Then the floats are dealt to the ranks: each adds up its range of all
 * that is left, wherever that lies, and all get the sum. The ranks of a machine have their arrays in memory that they
 * share, and look at them there; between machines a range's nodes are sent to the rank that has it, and its sum back,
 * to one rank of each machine. So of `floats` floats each of N machines sends about 2 (N - 1)/N, and gets as many.
 *
 * The sum has the order of one process, whatever the number of ranks, machines and threads: the same bits.
 *
 * A process alone holds as many arrays as the number of terms has digits in base two, one where there is one term, and
 * the sum is the first of them. With other ranks there is one more, on each machine, for the sum.
 */
#ifndef VECTRAIL_DIST_REDUCTION_H
#define VECTRAIL_DIST_REDUCTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "dist/ranks.h"

struct vt_reduction;

/* Collective: all get it, or all the same error. ranks: NULL where there is one process, else at most as many as terms.
 * pool, borrowed, adds up. Free with vt_reduction_free. */
enum vt_status vt_reduction_create(struct vt_ranks *ranks, size_t floats, uint32_t terms, struct vt_pool *pool,
                                   struct vt_reduction **reduction, struct vt_error *error);
/* Accepts NULL. Where the ranks are threads, all must have done with it. */
void vt_reduction_free(struct vt_reduction *reduction);

/* ---- a round: begin, then term and add for each term of this rank, then finish ----------------------------------- */

/* This rank's terms are *begin .. *end. */
void vt_reduction_begin(struct vt_reduction *reduction, uint32_t *begin, uint32_t *end);
/* Where the next term is to be computed: [floats], aligned to a cache line, of any content. Between rounds it is memory
 * for whatever else is to be computed; in a process alone it may be that of the sum. */
float *vt_reduction_term(struct vt_reduction *reduction);
/* It is there. value: a number that belongs to it, for all to see. */
void vt_reduction_add(struct vt_reduction *reduction, double value);
/* Collective. VT_ERROR_INTERRUPTED: rank 0 has ended the rounds, and nobody waits for this rank any more. VT_ERROR_IO,
 * VT_ERROR_CORRUPT: of the network. */
enum vt_status vt_reduction_finish(struct vt_reduction *reduction, struct vt_error *error);

/* The sum of the last round: [floats], at the same place in every round. With other ranks it is not to be written to:
 * others read it. */
float *vt_reduction_sum(const struct vt_reduction *reduction);
/* By term, of the last round. */
const double *vt_reduction_values(const struct vt_reduction *reduction);

/* ---- the end; all of it does nothing in a process alone ---------------------------------------------------------- */

/* On rank 0, in place of a round: the others' vt_reduction_finish, or vt_reduction_wait, ends. Does nothing where all
 * have ended together already. */
enum vt_status vt_reduction_stop(struct vt_reduction *reduction, struct vt_error *error);
/* On the others, when they have no more rounds to make: waits until rank 0 ends them. */
enum vt_status vt_reduction_wait(struct vt_reduction *reduction, struct vt_error *error);
/* All ranks have failed together: nobody waits for this one any more. */
void vt_reduction_over(struct vt_reduction *reduction);

#endif
