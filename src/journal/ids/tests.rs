use std::collections::BTreeMap;

use super::*;

fn known(n: usize) -> Digest {
    digest("pda", &n.to_string())
}

#[test]
fn a_filter_never_denies_what_was_added_and_rarely_claims_what_was_not() {
    let mut filters = Filters::<FILTER_BITS>::default();
    let lanes: Vec<usize> = (0..20).map(|segment| filters.occupy(segment)).collect();
    for n in 0..SEGMENT_MAX {
        filters.insert(lanes[7], &known(n));
    }
    let filter = filters.filter(lanes[7]);
    // Both before and after the rows have got longer.
    filters.insert(lanes[19], &known(1));
    let mut again = Filters::<FILTER_BITS>::default();
    let lane = again.add(7, &filter);
    for segment in 8..90 {
        again.occupy(segment);
    }
    // A row has more bytes than a word.
    again.insert(again.lanes.len() - 1, &known(1));
    assert!(again.row_bytes == 11 && again.filter(lane) == filter);
    let has = |filters: &Filters<FILTER_BITS>, segment, n| {
        filters.perhaps(&known(n)).any(|it| it == segment)
    };
    for filters in [&filters, &again] {
        assert!((0..SEGMENT_MAX).all(|n| has(filters, 7, n)));
    }
    assert!(has(&again, 89, 1) && !has(&again, 89, 2));
    let wrong = (SEGMENT_MAX..2 * SEGMENT_MAX)
        .filter(|n| filters.perhaps(&known(*n)).next().is_some())
        .count();
    assert!(
        wrong < SEGMENT_MAX / 600,
        "the filter matches {wrong} of {SEGMENT_MAX} unknown ids"
    );
    filters.free(lanes[7]);
    assert!(has(&filters, 19, 1));
    assert_eq!(filters.occupy(20), lanes[7]);
    assert!((0..SEGMENT_MAX).all(|n| !has(&filters, 20, n)));
}

/// Buckets in memory: what the journal's table holds.
fn store(table: &mut Buckets, flush: &Flush) {
    for (bucket, entries) in flush.buckets() {
        let held = table.entry((flush.number, bucket)).or_default();
        held.extend(entries);
    }
}

#[test]
fn small_flushes_share_a_segment_and_expired_segments_give_their_place_back() {
    let mut ids = Ids::default();
    let mut table = HashMap::new();
    let mut next = 0..;
    let mut fill = |ids: &mut Ids, count: usize, received_us| {
        for n in next.by_ref().take(count) {
            let received = Timestamp::from_microsecond(received_us).unwrap();
            ids.insert(known(n), Seq::new(n as u64), received);
        }
        store(
            &mut table,
            &ids.flush(SignedDuration::from_hours(1)).unwrap(),
        );
    };
    for round in 0..50 {
        fill(&mut ids, 20, round);
    }
    assert_eq!((ids.segments.len(), ids.segments[0].count), (1, 1_000));
    assert_eq!(ids.flushed_seq(), Seq::new(999));
    // Seven flushes find room beside the 1,000 ids, and eight in each further segment.
    for round in 0..79 {
        fill(&mut ids, HOT_MAX, 100 + round);
    }
    assert_eq!((ids.segments.len(), ids.filters.row_bytes), (10, 2));
    let perhaps = |ids: &Ids, n| ids.filters.perhaps(&known(n)).count();
    assert!((0..41_000).step_by(100).all(|n| perhaps(&ids, n) > 0));
    let before = Timestamp::from_microsecond(125).unwrap();
    let expired: Vec<u32> = std::iter::from_fn(|| ids.expire(before)).collect();
    assert_eq!(expired, (0..=2).collect::<Vec<u32>>());
    fill(&mut ids, HOT_MAX - 20, 200);
    assert_eq!((ids.segments.len(), ids.filters.lanes.len()), (8, 10));
    // The newest segment has room, but is too old: ids must not outlive their time with it.
    fill(&mut ids, 20, 200 + 3_600_000_001);
    assert_eq!((ids.segments.len(), ids.filters.lanes.len()), (9, 10));
}

#[test]
fn eight_flushes_fill_a_segment_also_when_a_group_has_more_ids_and_after_a_restart() {
    let mut ids = Ids::default();
    let mut table = HashMap::new();
    let mut segments: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let age = SignedDuration::from_hours(1);
    let mut next = 0;
    for flushes in 1..=20_usize {
        if flushes == 12 {
            // A restart reads the segments, and the ids that are in none.
            let hot = std::mem::take(&mut ids.hot);
            ids = Ids::default();
            for (number, segment) in &segments {
                load(&mut ids, *number, segment, &table);
            }
            ids.hot = hot;
        }
        while ids.hot.len() < HOT_MAX + 1_000 {
            ids.insert(known(next), Seq::new(next as u64), Timestamp::UNIX_EPOCH);
            next += 1;
        }
        let flush = ids.flush(age).unwrap();
        store(&mut table, &flush);
        segments.extend(flush.complete);
        segments.insert(flush.number, flush.segment);
        assert_eq!(ids.segments.len(), flushes.div_ceil(8));
        assert_eq!(ids.flushed_seq(), Seq::new((flushes * HOT_MAX - 1) as u64));
        assert_eq!(ids.hot.len(), 1_000);
    }
    let counts: Vec<usize> = ids.segments.iter().map(|segment| segment.count).collect();
    assert_eq!(counts, [SEGMENT_MAX, SEGMENT_MAX, 4 * HOT_MAX]);
    let is_known = |n: usize| find(&ids, &table, n) == Some(Seq::new(n as u64));
    assert!((0..next).step_by(7).all(is_known));
    assert_eq!(find(&ids, &table, next), None);
}

type Buckets = HashMap<(u32, u16), Vec<u8>>;

/// As [`Ids::find`] does, with buckets in memory.
fn find(ids: &Ids, table: &Buckets, n: usize) -> Option<Seq> {
    let digest = known(n);
    let mut keys = ids.perhaps(&digest);
    let hot = ids.hot.get(&digest).copied();
    hot.or_else(|| keys.find_map(|key| find_in(table.get(&key)?, &digest)))
}

fn load(ids: &mut Ids, number: u32, segment: &[u8], table: &Buckets) {
    let loaded = ids.load(number, segment, |add| {
        let own = table.iter().filter(|((segment, _), _)| *segment == number);
        own.for_each(|(_, entries)| add(entries));
        Ok::<_, BadRecord>(())
    });
    loaded.unwrap();
}

#[test]
fn a_segment_of_an_older_version_is_read_and_takes_no_further_ids() {
    let entries: Vec<u8> = (0..1_000)
        .flat_map(|n| [known(n).as_slice(), &(n as u64).to_le_bytes()].concat())
        .collect();
    let mut format_1 = 999u64.to_le_bytes().to_vec();
    format_1.extend([0; 8 + 1]);
    let old = converted(&format_1, entries.chunks(240)).unwrap();
    let mut ids = Ids::default();
    load(&mut ids, 3, &old, &Buckets::new());
    let perhaps = |ids: &Ids, n| ids.old_filters.perhaps(&known(n)).collect::<Vec<_>>();
    assert!((0..1_000).all(|n| perhaps(&ids, n) == [3]));
    let key = |n| ids.perhaps(&known(n)).next();
    assert!((0..1_000).all(|n| key(n) == Some((3, bucket_of(&known(n), OLD_BUCKETS)))));
    ids.insert(known(1_000), Seq::new(1_000), Timestamp::UNIX_EPOCH);
    let flush = ids.flush(SignedDuration::from_hours(1)).unwrap();
    assert_eq!((flush.number, ids.segments.len()), (4, 2));
    let later = Timestamp::from_second(1).unwrap();
    assert_eq!((ids.expire(later), ids.expire(later)), (Some(3), None));
    assert!((0..1_000).all(|n| perhaps(&ids, n).is_empty()));
}

#[test]
fn every_bucket_of_a_segment_is_found_again_by_the_digest() {
    let mut ids = Ids::default();
    for n in 0..1_000u64 {
        ids.insert(
            digest("pda", &n.to_string()),
            Seq::new(n),
            Timestamp::UNIX_EPOCH,
        );
    }
    let flush = ids.flush(SignedDuration::from_hours(1)).unwrap();
    for n in 0..1_000u64 {
        let digest = digest("pda", &n.to_string());
        let (_, entries) = flush
            .buckets()
            .find(|(bucket, _)| *bucket == bucket_of(&digest, BUCKETS))
            .unwrap();
        assert_eq!(find_in(&entries, &digest), Some(Seq::new(n)));
    }
    assert!(flush.buckets().is_sorted_by_key(|(bucket, _)| bucket));
    assert!(ids.flush(SignedDuration::ZERO).is_none());
}

#[test]
fn ids_do_not_run_into_the_device() {
    assert_ne!(digest("a", "bc"), digest("ab", "c"));
}
