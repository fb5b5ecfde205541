use super::*;

fn known(n: usize) -> Digest {
    digest("pda", &n.to_string())
}

#[test]
fn a_filter_never_denies_what_was_added_and_rarely_claims_what_was_not() {
    let digests: Vec<Digest> = (0..SEGMENT_MAX).map(known).collect();
    let mut block = Block::new();
    let lane = 31;
    block.add(lane, &filter_of(digests.iter()));
    let perhaps = |block: &Block, n| block.perhaps(&known(n)) >> lane == 1;
    assert!((0..SEGMENT_MAX).all(|n| perhaps(&block, n)));
    let wrong = (SEGMENT_MAX..4 * SEGMENT_MAX)
        .filter(|n| perhaps(&block, *n))
        .count();
    assert!(
        wrong < 3 * SEGMENT_MAX / 500,
        "the filter matches {wrong} of {} unknown ids",
        3 * SEGMENT_MAX
    );
    assert_eq!(block.filter(lane), filter_of(digests.iter()));
    block.add(5, &filter_of(digests[..10].iter()));
    block.clear(lane);
    assert_eq!(block.filter(5), filter_of(digests[..10].iter()));
    assert!(block.0.iter().all(|word| word >> lane == 0));
}

/// Buckets in memory: what the journal's table holds.
fn store(table: &mut HashMap<(u32, u16), Vec<u8>>, flush: &Flush) {
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
    // The first flush goes to the segment with 1,000 ids, and two to each further one.
    for round in 0..81 {
        fill(&mut ids, HOT_MAX, 100 + round);
    }
    assert_eq!((ids.segments.len(), ids.blocks.len()), (41, 2));
    let perhaps = |ids: &Ids, n| {
        let blocks = ids.blocks.iter();
        blocks
            .map(|block| block.perhaps(&known(n)).count_ones())
            .sum::<u32>()
    };
    assert!((0..41_000).step_by(100).all(|n| perhaps(&ids, n) > 0));
    let before = Timestamp::from_microsecond(110).unwrap();
    let expired: Vec<u32> = std::iter::from_fn(|| ids.expire(before)).collect();
    assert_eq!(expired, (0..=4).collect::<Vec<u32>>());
    fill(&mut ids, HOT_MAX - 20, 200);
    assert_eq!((ids.segments.len(), ids.slots.len()), (37, 41));
    // The newest segment has room, but is too old: ids must not outlive their time with it.
    fill(&mut ids, 20, 200 + 3_600_000_001);
    assert_eq!((ids.segments.len(), ids.slots.len()), (38, 41));
    // What a restart reads is what was in memory.
    let mut again = Ids::default();
    for segment in &ids.segments {
        let filter = ids.blocks[segment.slot / LANES].filter(segment.slot % LANES);
        let stored = IdSegment {
            last_seq: segment.last_seq.get(),
            last_received_us: segment.last_received_us,
            first_received_us: segment.first_received_us,
            count: u32::try_from(segment.count).unwrap(),
            filter: &filter,
        };
        again.load(segment.number, &stored.to_bytes()).unwrap();
    }
    let newest = 1_000 + 82 * HOT_MAX;
    assert!((newest - 100..newest).all(|n| perhaps(&again, n) > 0));
    assert_eq!(again.flushed_seq(), ids.flushed_seq());
}

#[test]
fn two_flushes_fill_a_segment_also_when_a_group_has_more_ids() {
    let mut ids = Ids::default();
    let mut table = HashMap::new();
    let age = SignedDuration::from_hours(1);
    let mut next = 0;
    for flushes in 1..=8_usize {
        while ids.hot.len() < HOT_MAX + 1_000 {
            ids.insert(known(next), Seq::new(next as u64), Timestamp::UNIX_EPOCH);
            next += 1;
        }
        store(&mut table, &ids.flush(age).unwrap());
        assert_eq!(ids.segments.len(), flushes.div_ceil(2));
        assert_eq!(ids.flushed_seq(), Seq::new((flushes * HOT_MAX - 1) as u64));
        assert_eq!(ids.hot.len(), 1_000);
    }
    assert!(
        ids.segments
            .iter()
            .all(|segment| segment.count == SEGMENT_MAX)
    );
    let is_known = |n: usize| {
        let digest = known(n);
        let stored = |number| {
            let entries = table.get(&(number, bucket_of(&digest)));
            entries.and_then(|entries| find_in(entries, &digest))
        };
        let seq = ids.hot.get(&digest).copied();
        seq.or_else(|| (0..4).find_map(stored)) == Some(Seq::new(n as u64))
    };
    assert!((0..next).all(is_known));
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
            .find(|(bucket, _)| *bucket == bucket_of(&digest))
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
