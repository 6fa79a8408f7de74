/* Selvedge: what a scenario of a user's own has to work with. */
#ifndef SELVEDGE_H
#define SELVEDGE_H
struct folio;
struct buffer_head;
struct task_struct;
/* A folio of one page: a reference of the page cache, mapped nowhere; 0 to 7. */
extern struct folio *sv_folio(int nr);
/* A buffer head with a reference; 0 to 3. */
extern struct buffer_head *sv_bh(int nr);
/* The task of this number: tasks are numbered from 1, in the order of their functions' names. */
extern struct task_struct *sv_task(int nr);
/* Puts the folio on the inactive list; for setup(). */
extern void sv_list_folio(struct folio *folio);
/* On no LRU list (0), on one that reclaim scans (1), on the unevictable one (2); for at_end(). */
extern int sv_folio_list(struct folio *folio);
/* What a SIGKILL comes to once its target is chosen. */
extern void sv_send_sigkill(struct task_struct *task);
/* Isolated: on no list, with the reference of whoever isolated it; for setup(). */
extern void sv_isolate(struct folio *folio);
/* In the page cache of a file of its own, which can migrate it; for setup(). */
extern void sv_cache(struct folio *folio);
/* The only buffer of the folio is this one; for setup(). */
extern void sv_attach(struct folio *folio, struct buffer_head *bh);
/* The block that all buffer heads say they are of. */
#define SV_BDEV ((struct block_device *)16)
#define SV_BLOCK 0
#define SV_BLOCK_SIZE 512
#endif
