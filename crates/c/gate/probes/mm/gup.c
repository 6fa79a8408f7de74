/* Selvedge: the file, and ways to what is static in it. */
#include "mm/gup.c"

/*
 * pin_user_pages() of one page that may not stay where it is: the page tables are not looked at, and the
 * pin is that of try_grab_folio(), of a small folio. -EAGAIN: it was migrated, or could not be isolated, and
 * the caller would try again; -ENOMEM: migration failed.
 */
int sv_pin_longterm(struct folio *folio)
{
	struct page *page = &folio->page;

	folio_ref_add(folio, GUP_PIN_COUNTING_BIAS);
	return check_and_migrate_movable_pages(1, &page);
}
