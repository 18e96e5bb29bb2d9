use proptest::prelude::*;

use super::*;

fn money(text: &str) -> Money {
    text.parse().expect("an amount")
}

fn gb(text: &str) -> Quantity {
    text.parse().expect("a quantity")
}

/// Nine nodes r7g.xlarge in three shards.
fn nine(today: (Service, Engine)) -> Workload {
    Workload {
        today,
        node_type: "cache.r7g.xlarge".parse().expect("a node type"),
        shards: 3,
        replicas: 2,
        data: None,
        written: None,
        backup: Quantity::ZERO,
        purchase: Purchase::OnDemand,
        million_ecpus: None,
        node_memory: None,
    }
}

fn compared(work: &Workload) -> Comparison {
    compare(&Prices::built_in(), "us-east-1", work)
}

fn month(comparison: &Comparison, service: Service, engine: Engine) -> Money {
    let row = comparison.row(service, engine).expect("a row");
    row.month.total.unwrap_or_else(|| panic!("{service} {engine} has no total"))
}

/// The month that was worked out by hand from the price list of 2026-09-09: 9 × 730 hours.
#[test]
fn a_month_of_nine_nodes_is_as_worked_out_by_hand() {
    let comparison = compared(&nine((Service::ElastiCache, Engine::Redis)));
    let worked = [
        (Service::ElastiCache, Engine::Redis, "2871.09"),
        (Service::ElastiCache, Engine::Valkey, "2296.872"),
        (Service::Durable(Mode::Async), Engine::Valkey, "2296.872"),
        (Service::Durable(Mode::Sync), Engine::Valkey, "2710.30896"),
        (Service::MemoryDb, Engine::Redis, "4053.69"),
        (Service::MemoryDb, Engine::Valkey, "2837.583"),
    ];
    for (service, engine, amount) in worked {
        assert_eq!(month(&comparison, service, engine), money(amount), "{service}, {engine}");
    }
    let memorydb = comparison.row(Service::MemoryDb, Engine::Redis).expect("a row");
    assert!(memorydb.month.unpriced[0].contains("0.20 a GB"), "{:?}", memorydb.month.unpriced);
    let difference = memorydb.difference.expect("a difference");
    assert_eq!(difference.month, money("1182.60"));
    assert_eq!(difference.year, money("14191.20"));
    assert_eq!(difference.tenths_of_percent, Some(412));
    let valkey = comparison.row(Service::ElastiCache, Engine::Valkey).expect("a row");
    assert_eq!(valkey.difference.and_then(|d| d.tenths_of_percent), Some(-200));
}

#[test]
fn writes_cost_on_memorydb_alone_and_valkey_has_ten_terabytes_free() {
    let today = (Service::ElastiCache, Engine::Redis);
    let at = |written: &str| compared(&Workload { written: Some(gb(written)), ..nine(today) });
    let base = compared(&nine(today));
    let more = |comparison: &Comparison, service, engine| {
        month(comparison, service, engine) - month(&base, service, engine)
    };
    let (some, much) = (at("1000"), at("10340.5"));
    assert_eq!(more(&some, Service::MemoryDb, Engine::Redis), money("200"));
    assert_eq!(more(&some, Service::MemoryDb, Engine::Valkey), Money::ZERO);
    assert_eq!(more(&much, Service::MemoryDb, Engine::Valkey), money("4.02"));
    assert_eq!(more(&much, Service::ElastiCache, Engine::Redis), Money::ZERO);
}

#[test]
fn snapshots_are_free_on_memorydb_up_to_what_the_cluster_holds() {
    let today = (Service::ElastiCache, Engine::Valkey);
    let work = Workload { data: Some(gb("50")), backup: gb("150"), ..nine(today) };
    let (with, without) = (compared(&work), compared(&nine(today)));
    let more =
        |service| month(&with, service, Engine::Valkey) - month(&without, service, Engine::Valkey);
    assert_eq!(more(Service::ElastiCache), money("12.75"));
    assert_eq!(more(Service::MemoryDb), money("2.1"));
    let cannot = &with.row(Service::ElastiCache, Engine::Valkey).expect("a row").cannot;
    assert!(cannot.contains(&ONE_BACKUP_MAY_BE_FREE));
}

#[test]
fn what_cannot_be_had_is_said_and_not_priced() {
    let today = (Service::ElastiCache, Engine::Redis);
    let m7g = Workload { node_type: "m7g.large".parse().expect("a type"), ..nine(today) };
    let row = |comparison: &Comparison, service| {
        comparison.row(service, Engine::Valkey).expect("a row").clone()
    };
    let memorydb = row(&compared(&m7g), Service::MemoryDb);
    assert_eq!(memorydb.not_possible.as_deref(), Some("MemoryDB has no m7g.large nodes"));
    assert_eq!(memorydb.month.total, None);
    let t4g = Workload { node_type: "t4g.medium".parse().expect("a type"), ..nine(today) };
    let durable = row(&compared(&t4g), Service::Durable(Mode::Sync));
    assert!(durable.not_possible.is_some_and(|why| why.contains("t4g")));
    let alone = compared(&Workload { replicas: 0, ..nine(today) });
    let durable = row(&alone, Service::Durable(Mode::Async));
    assert!(durable.changed.is_some_and(|how| how.contains("one replica")));
    let plain = month(&alone, Service::ElastiCache, Engine::Valkey);
    assert_eq!(durable.month.total, Some(plain + plain), "a replica for each primary");
}

#[test]
fn a_price_that_the_file_lacks_leaves_a_gap_and_no_number() {
    let small = Workload {
        node_type: "t4g.small".parse().expect("a type"),
        ..nine((Service::ElastiCache, Engine::Redis))
    };
    let comparison = compared(&small);
    let memorydb = comparison.row(Service::MemoryDb, Engine::Valkey).expect("a row");
    assert_eq!((memorydb.month.total, memorydb.year, memorydb.difference), (None, None, None));
    assert!(memorydb.month.unpriced.iter().any(|what| what.contains("no figure")));
    assert!(comparison.premium(Service::MemoryDb).is_none());
}

#[test]
fn reserved_nodes_without_a_figure_are_counted_on_demand_and_bounded() {
    let reserved = Workload {
        purchase: "3yr-all-upfront".parse().expect("a purchase"),
        ..nine((Service::ElastiCache, Engine::Redis))
    };
    let row = compared(&reserved).row(Service::ElastiCache, Engine::Redis).expect("a row").clone();
    assert_eq!(row.month.total, Some(money("2871.09")));
    let gap = row.month.not_deducted.join("\n");
    assert_eq!(row.month.mark(), "-", "it costs less than that, not more");
    // 45% of 2,871.09.
    assert!(gap.contains("no figure") && gap.contains("not below 1,291.99"), "{gap}");
}

#[test]
fn reserved_nodes_are_priced_by_what_is_paid_upfront_and_by_the_hour() {
    let offer = r#""reserved": [{
        "service": "elasticache", "engine": "redis", "term": "1yr", "payment": "partial-upfront",
        "source": "price-list", "nodes": { "r7g.xlarge": { "upfront": "1000", "per_hour": "0.1" } }
    }]"#;
    let prices = Prices::read(&BUILT_IN.replace(r#""reserved": []"#, offer)).expect("a price file");
    let work = Workload {
        purchase: "1yr-partial-upfront".parse().expect("a purchase"),
        ..nine((Service::ElastiCache, Engine::Redis))
    };
    let comparison = compare(&prices, "us-east-1", &work);
    // 6,570 hours at 0.1, and nine times 1,000 shared by twelve months.
    assert_eq!(month(&comparison, Service::ElastiCache, Engine::Redis), money("1407"));
}

#[test]
fn derived_prices_are_marked_unsure() {
    let large = Workload {
        node_type: "r7g.4xlarge".parse().expect("a type"),
        ..nine((Service::ElastiCache, Engine::Redis))
    };
    let comparison = compared(&large);
    let nodes = &comparison.today().expect("a row").month.items[0];
    assert_eq!(nodes.price, money("1.748"));
    assert!(nodes.source.unsure.is_some());
}

#[test]
fn serverless_is_billed_for_its_least_size_at_least() {
    let prices = Prices::built_in();
    let of = |engine, data: &str| {
        serverless(&prices, "us-east-1", engine, gb(data), gb("1000"))
            .and_then(|estimate| estimate.total)
            .expect("a price")
    };
    // 0.1 GB × 730 × 0.084 + 1,000 × 0.0023.
    assert_eq!(of(Engine::Valkey, "0.01"), money("8.432"));
    assert_eq!(of(Engine::Redis, "2"), money("185.9"));
}

/// The three scenarios of the guide, whose comments do not agree with its own code: what its code gives.
#[test]
fn the_break_even_of_the_guide_s_scenarios_is_what_its_code_gives() {
    let premium = Money::whole(4389 - 2532);
    let scenario = |revenue: i64, percent: &str, losses: &str| {
        let a_loss = Money::whole(revenue * 12).percent(gb(percent));
        break_even(premium, Odds { a_loss_costs: Some(a_loss), losses_a_year: Some(gb(losses)) })
    };
    let table = [
        (scenario(10_000_000, "2", "2"), "4800000", Money::whole(4_777_716)),
        (scenario(100_000, "1", "1"), "12000", -Money::whole(10_284)),
        (scenario(5_000_000, "5", "1"), "3000000", Money::whole(2_977_716)),
    ];
    for (even, loss, net) in table {
        assert_eq!(even.premium_a_year, Money::whole(22_284));
        assert_eq!(even.expected_loss_a_year, Some(money(loss)));
        assert_eq!(even.net_a_year, Some(net));
        assert_eq!(net > Money::ZERO, even.a_loss_costs > even.pays_from_cost_of_a_loss);
    }
    let startup = scenario(100_000, "1", "1");
    assert_eq!(startup.pays_from_losses_a_year, Some(gb("1.86")), "22,284 / 12,000");
    assert_eq!(startup.pays_from_cost_of_a_loss, Some(Money::whole(22_284)));
}

#[test]
fn what_costs_no_more_has_no_break_even() {
    let odds = Odds { a_loss_costs: Some(Money::whole(10)), losses_a_year: Some(gb("0.5")) };
    let even = break_even(-Money::whole(5), odds);
    assert_eq!((even.pays_from_losses_a_year, even.pays_from_cost_of_a_loss), (None, None));
    assert_eq!(even.net_a_year, Some(Money::whole(65)));
}

fn migration() -> Vec<StepCosts> {
    let step = |step: &str, effects| StepCosts { step: step.to_owned(), effects };
    let (bytes, files) = (Some(20 << 30), 2);
    vec![
        step("snapshot", vec![CostEffect::ElastiCacheSnapshot { bytes }]),
        step("export", vec![CostEffect::S3Objects { bytes, files }]),
        step(
            "cluster",
            vec![
                CostEffect::S3Reads { bytes, files },
                CostEffect::Cluster {
                    service: Service::MemoryDb,
                    engine: Engine::Valkey,
                    node_type: "db.r7g.large".parse().expect("a type"),
                    shards: 2,
                    replicas: 1,
                },
            ],
        ),
    ]
}

#[test]
fn a_plan_costs_its_hours_and_a_month_of_what_it_leaves() {
    let prices = Prices::built_in();
    let cost = of_plan(&prices, "us-east-1", &migration(), 73, None);
    // 4 nodes × 730 × 0.2163, 20 GB at 0.085 and at 0.023.
    assert_eq!(cost.month.total, Some(money("631.596") + money("1.7") + money("0.46")));
    // 73 minutes are a six hundredth of a month; 2,560 parts and two requests a file, written and read.
    let share = |month: &str| money(month).shared(600);
    let near =
        share("631.596") + share("1.7") + share("0.46") + money("0.01282") + money("0.001026");
    let run = cost.run.total.expect("a total");
    let off = (run - near).millionths().abs();
    assert!(off < 600, "{run} is not {near}");
    assert!(cost.month.unpriced.iter().any(|what| what.starts_with("cluster: data written")));
    assert!(cost.run.items.iter().all(|item| item.what.contains(": ")), "each names its step");
}

#[test]
fn what_a_plan_does_away_with_is_counted_against_it() {
    let steps = [StepCosts {
        step: "clean".to_owned(),
        effects: vec![
            CostEffect::ElastiCacheSnapshotGone { bytes: Some(10 << 30) },
            CostEffect::S3ObjectsGone { bytes: Some(10 << 30) },
        ],
    }];
    let cost = of_plan(&Prices::built_in(), "us-east-1", &steps, 1, None);
    assert_eq!(cost.more_a_month(), -money("1.08"));
}

#[test]
fn sizes_that_are_not_known_yet_and_regions_without_prices_are_gaps() {
    let unknown = [StepCosts {
        step: "export".to_owned(),
        effects: vec![CostEffect::S3Objects { bytes: None, files: 2 }],
    }];
    let cost = of_plan(&Prices::built_in(), "us-east-1", &unknown, 10, None);
    assert_eq!(cost.month.total, Some(Money::ZERO));
    assert!(cost.month.unpriced[0].contains("once they are written"), "{:?}", cost.month.unpriced);
    let elsewhere = of_plan(&Prices::built_in(), "mars-north-1", &migration(), 10, None);
    assert_eq!(elsewhere.month.unpriced.len(), 4, "{:?}", elsewhere.month.unpriced);
}

#[test]
fn a_bad_price_file_is_one_message_that_says_where() {
    let swap = |from: &str, to: &str| {
        assert!(BUILT_IN.contains(from), "the test looks for {from}");
        BUILT_IN.replacen(from, to, 1)
    };
    let table = [
        (swap("\"as_of\"", "\"colour\": 1, \"as_of\""), "unknown field `colour`"),
        (swap("\"0.4370\"", "0.4370"), "expected a string at line"),
        (swap("\"0.4370\"", "\"-0.4\""), "\"-0.4\" is not a number"),
        (swap("\"0.4370\"", "\"0,4\""), "\"0,4\" is not a number"),
        (swap("\"0.4370\"", "\"1e3\""), "\"1e3\" is not a number"),
        (swap("\"0.4370\"", "\"0.12345678\""), "six digits"),
        (
            swap("\"t4g.small\": \"0.0320\"", "\"r7g.large\": \"0.0320\""),
            "\"r7g.large\" stands twice",
        ),
        (swap("\"r7g.2xlarge\"", "\"r7g.large\""), "r7g.large has two prices"),
        (swap("\"r7g.large\"", "\"cache.r7g.large\""), "without its prefix"),
        (swap("\"source\": \"derived\"", "\"source\": \"guess\""), "the source \"guess\""),
        (swap("prices-1", "prices-9"), "prices-9"),
        (swap("\"percent\": \"55\"", "\"percent\": \"101\""), "100 per cent"),
        (swap("2026-09-09", "yesterday"), "line 4"),
        (swap("\"mode\": \"async\"", "\"mode\": \"sync\""), "two entries for the same"),
        ("{".to_owned(), "EOF"),
        ("[]".to_owned(), "line 1"),
        (String::new(), "EOF"),
    ];
    for (text, words) in table {
        let error = Prices::read(&text).expect_err(words).to_string();
        assert!(error.contains(words), "{error:?} does not say {words:?}");
        assert!(!error.contains('\n'));
    }
}

#[test]
fn amounts_are_worded_with_commas_and_cents() {
    assert_eq!(money("2871.09").cents(), "2,871.09");
    assert_eq!(money("2296.872").cents(), "2,296.87");
    assert_eq!(money("1234567.895").cents(), "1,234,567.90");
    assert_eq!((-money("0.005")).cents(), "-0.01");
    assert_eq!(money("413.43696").signed_cents(), "+413.44");
    assert_eq!(money("0.437").to_string(), "0.437");
    assert_eq!(money("3").to_string(), "3.00");
    assert_eq!(Quantity::whole(6570).words(), "6,570");
    assert_eq!(gigabytes(3 << 29), gb("1.5"));
}

#[test]
fn what_a_node_cannot_hold_is_said() {
    let full = Workload {
        data: Some(gb("100")),
        node_memory: Some(28_261_849_702),
        ..nine((Service::ElastiCache, Engine::Redis))
    };
    assert!(compared(&full).notes[0].contains("33.33 GB each"), "{:?}", compared(&full).notes);
    assert!(compared(&Workload { data: Some(gb("50")), ..full }).notes.is_empty());
}

proptest! {
    #[test]
    fn a_decimal_reads_back_as_it_was_written(value in 0_i64..999_999_999_999_999_999) {
        let amount = Money::from_millionths(i128::from(value));
        prop_assert_eq!(amount.to_string().parse::<Money>(), Ok(amount));
    }

    #[test]
    fn no_text_makes_the_reader_of_decimals_panic(text in "\\PC{0,40}") {
        let _ = text.parse::<Money>();
    }

    /// With whole quantities nothing is rounded: the parts are the whole, in any order.
    #[test]
    fn the_parts_cost_what_the_whole_costs(
        price in 0_i64..10_000_000_000,
        parts in proptest::collection::vec(0_u64..1_000_000, 0..20),
    ) {
        let price = Money::from_millionths(i128::from(price));
        let whole = price.times(Quantity::whole(parts.iter().sum()), 1);
        let sum: Money = parts.iter().map(|part| price.times(Quantity::whole(*part), 1)).sum();
        let back: Money = parts.iter().rev().map(|part| price.times(Quantity::whole(*part), 1)).sum();
        prop_assert_eq!(whole, sum);
        prop_assert_eq!(sum, back);
    }

    /// One line is off by half a millionth at most, whatever it multiplies.
    #[test]
    fn a_product_is_off_by_half_a_millionth_at_most(
        price in 0_i64..1_000_000_000,
        quantity in 0_i64..1_000_000_000_000,
        per in 1_u32..1001,
    ) {
        let quantity_text = format!("{}.{:06}", quantity / 1_000_000, quantity % 1_000_000);
        let got = Money::from_millionths(i128::from(price)).times(gb(&quantity_text), per);
        let exact = i128::from(price) * i128::from(quantity);
        let by = 1_000_000 * i128::from(per);
        prop_assert!((got.millionths() * by - exact).abs() * 2 <= by);
    }

    #[test]
    fn the_total_is_the_sum_of_the_lines_and_grows_with_the_cluster(
        shards in 1_u32..90,
        replicas in 0_u32..6,
        written in 0_u64..100_000,
        backup in 0_u64..10_000,
    ) {
        let work = |shards| Workload {
            shards,
            replicas,
            data: Some(gb("1")),
            written: Some(Quantity::whole(written)),
            backup: Quantity::whole(backup),
            ..nine((Service::ElastiCache, Engine::Valkey))
        };
        let (one, more) = (compared(&work(shards)), compared(&work(shards + 1)));
        for (row, larger) in one.rows.iter().zip(&more.rows) {
            let sum: Money = row.month.items.iter().map(|item| item.amount).sum();
            prop_assert_eq!(row.month.total, Some(sum));
            prop_assert!(larger.month.total > row.month.total, "{}", row.name);
        }
    }
}
