/*
 * Selvedge: one process that has mapped a page of a file, with page tables of four levels. Instrumented.
 * With CONFIG_RANDOMIZE_MEMORY the direct map and the array of all struct page begin where variables say:
 * here, so that an address is its own physical one, and that an entry leads to a folio of ours.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rbtree_augmented.h>
#include <linux/rmap.h>
#include <asm/processor.h>
#include <selvedge.h>

/* A CPU with no feature that a kernel would ask for. */
struct cpuinfo_x86 boot_cpu_data __weak;
unsigned long page_offset_base, vmemmap_base;
pteval_t __supported_pte_mask __weak = ~0, __default_kernel_pte_mask __weak = ~0;
s32 percpu_counter_batch __weak = 32;
/* No entry for migration says whether its page was accessed or written. */
bool swap_migration_ad_supported __weak;

/* The first entry of each table is the one. */
#define ADDRESS 0UL
static unsigned long pgd_table[PTRS_PER_PTE] __aligned(PAGE_SIZE);
static unsigned long pud_table[PTRS_PER_PTE] __aligned(PAGE_SIZE);
static unsigned long pmd_table[PTRS_PER_PTE] __aligned(PAGE_SIZE);
static unsigned long pte_table[PTRS_PER_PTE] __aligned(PAGE_SIZE);
/* The struct page of the last one, with its lock, is in here: so far from folios that an array has both. */
static char page_of_pte_table[2 * sizeof(struct page)] __aligned(sizeof(long));

static unsigned long page_of_table(void)
{
	long size = sizeof(struct page);
	long behind = ((long)page_of_pte_table - (long)sv_folio(0)) % size;

	return (unsigned long)page_of_pte_table + (size - behind) % size;
}

static const struct vm_operations_struct sv_vm_ops = { .fault = filemap_fault };
static struct mm_struct sv_mm = { .pgd = (pgd_t *)pgd_table };
static struct file sv_file;
static struct vm_area_struct sv_vma = {
	.vm_start = ADDRESS,
	.vm_end = ADDRESS + PAGE_SIZE,
	.vm_mm = &sv_mm,
	.vm_page_prot = { _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED | _PAGE_NX },
	.vm_flags = VM_READ | VM_MAYREAD | VM_SHARED,
	.vm_ops = &sv_vm_ops,
	.vm_file = &sv_file,
};

/* Cached, and mapped, for reading. */
extern void sv_cache_of_file(struct folio *folio);
void sv_map(struct folio *folio)
{
	struct rb_node *node = &sv_vma.shared.rb;

	sv_cache_of_file(folio);
	vmemmap_base = page_of_table() -
		       ((unsigned long)pte_table >> PAGE_SHIFT) * sizeof(struct page);
	pgd_table[0] = (unsigned long)pud_table | _PAGE_TABLE;
	pud_table[0] = (unsigned long)pmd_table | _PAGE_TABLE;
	pmd_table[0] = (unsigned long)pte_table | _PAGE_TABLE;
	pte_table[0] = pte_val(mk_pte(&folio->page, sv_vma.vm_page_prot));
	sv_file.f_mapping = folio->mapping;
	/* A tree of one node. */
	node->__rb_parent_color = RB_BLACK;
	folio->mapping->i_mmap.rb_root.rb_node = node;
	folio->mapping->i_mmap.rb_leftmost = node;
	atomic_inc(&folio->_refcount);
	atomic_inc(&folio->_mapcount);
}

/* Nothing here is of tmpfs. */
bool __weak shmem_mapping(struct address_space *mapping)
{
	return false;
}

bool __weak vma_is_anon_shmem(struct vm_area_struct *vma)
{
	return false;
}

/* The processor's part: an entry is changed for a write only, since a read marks it by itself. */
int ptep_set_access_flags(struct vm_area_struct *vma, unsigned long address, pte_t *ptep, pte_t entry,
			  int is_write)
{
	int differs = !pte_same(ptep_get(ptep), entry);

	if (differs && is_write)
		set_pte(ptep, entry);
	return differs;
}

/* A read of the page that finds no entry in the TLB, with nothing to say that it may be tried again. */
void sv_fault(void)
{
	handle_mm_fault(&sv_vma, ADDRESS, 0, NULL);
}

/*
 * What a migration does with entries: it replaces them, looks whether somebody has a reference besides the
 * page cache and who has isolated it, and puts them back. 1: somebody has.
 */
int sv_try_to_migrate(struct folio *folio)
{
	int is_refused;

	folio_lock(folio);
	try_to_migrate(folio, 0);
	is_refused = folio_ref_count(folio) != 2;
	remove_migration_ptes(folio, folio, 0);
	folio_unlock(folio);
	return is_refused;
}

/* Mapped where it was, and once. */
int sv_at_end_fault_and_try_to_migrate_leave_one_entry(void)
{
	struct folio *folio = sv_folio(0);
	pte_t pte = { pte_table[0] };

	return !pte_present(pte) || pte_page(pte) != &folio->page || folio_mapcount(folio) != 1 ||
	       folio_ref_count(folio) != 3;
}
