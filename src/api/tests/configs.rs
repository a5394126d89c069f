//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.

use protocol::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
};
use protocol::messages::{alter_configs, incremental_alter_configs};

use super::*;
use crate::api::{RequestInfo, describe_configs};
use crate::config::{broker_keys, group_keys, topic_keys};

fn describe(
    world: &mut World,
    version: i16,
    resource_type: i8,
    resource_name: &str,
    keys: Option<&[&str]>,
) -> DescribeConfigsResult<'static> {
    let configuration_keys = keys.map(|keys| keys.iter().copied().collect());
    let resource = DescribeConfigsResource { resource_type, resource_name, configuration_keys };
    let request = DescribeConfigsRequest {
        resources: vec![resource].into(),
        include_synonyms: true,
        include_documentation: version >= 3,
    };
    let answer: DescribeConfigsResponse<'static> = world.ask(ApiKey::DescribeConfigs, version, &request);
    let result = answer.results.iter().next().unwrap();
    assert_eq!((result.resource_type, result.resource_name), (resource_type, resource_name));
    result
}

fn row(result: &DescribeConfigsResult<'static>, name: &str) -> DescribeConfigsResourceResult<'static> {
    result.configs.iter().find(|row| row.name == name).unwrap()
}

fn history(row: &DescribeConfigsResourceResult<'static>) -> Vec<(&'static str, Option<&'static str>, i8)> {
    row.synonyms.iter().map(|synonym| (synonym.name, synonym.value, synonym.source)).collect()
}

/// Resource type, name, and key, operation, value of each setting.
type Change<'a> = (i8, &'a str, &'a [(&'a str, i8, Option<&'a str>)]);

fn change(world: &mut World, validate_only: bool, changes: &[Change<'_>]) -> Vec<(i8, &'static str, i16)> {
    use incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
    let resources = changes.iter().map(|&(resource_type, resource_name, configs)| {
        let config = |&(name, config_operation, value)| AlterableConfig { name, config_operation, value };
        AlterConfigsResource { resource_type, resource_name, configs: configs.iter().map(config).collect() }
    });
    let request = IncrementalAlterConfigsRequest { resources: resources.collect(), validate_only };
    let answer: IncrementalAlterConfigsResponse<'static> =
        world.ask(ApiKey::IncrementalAlterConfigs, 1, &request);
    answer.responses.iter().map(|r| (r.resource_type, r.resource_name, r.error_code)).collect()
}

fn replace(world: &mut World, changes: &[Change<'_>]) -> Vec<(i8, &'static str, i16)> {
    use alter_configs::{AlterConfigsResource, AlterableConfig};
    let resources = changes.iter().map(|&(resource_type, resource_name, configs)| {
        let config = |&(name, _, value): &(_, i8, _)| AlterableConfig { name, value };
        AlterConfigsResource { resource_type, resource_name, configs: configs.iter().map(config).collect() }
    });
    let request = AlterConfigsRequest { resources: resources.collect(), validate_only: false };
    let answer: AlterConfigsResponse<'static> = world.ask(ApiKey::AlterConfigs, 2, &request);
    answer.responses.iter().map(|r| (r.resource_type, r.resource_name, r.error_code)).collect()
}

#[test]
fn a_topic_is_described_with_sources_and_synonyms() {
    let mut world = World::with_topics(&[("a", 1)]);
    let set = [("cleanup.policy", 0, Some("compact")), ("retention.ms", 0, Some("1000"))];
    assert_eq!(change(&mut world, false, &[(2, "a", &set)]), [(2, "a", 0)]);
    for version in 1..=4 {
        let result = describe(&mut world, version, 2, "a", None);
        assert_eq!((result.error_code, result.error_message), (0, Some("")));
        assert_eq!(result.configs.len(), topic_keys().count());
        let policy = row(&result, "cleanup.policy");
        assert_eq!((policy.value, policy.config_source), (Some("compact"), 1));
        assert!(!policy.read_only && !policy.is_sensitive);
        assert_eq!(
            history(&policy),
            [("cleanup.policy", Some("compact"), 1), ("log.cleanup.policy", Some("delete"), 5)]
        );
        assert_eq!(policy.config_type, if version >= 3 { 7 } else { 0 });
        assert_eq!(policy.documentation.is_some_and(|text| !text.is_empty()), version >= 3);
        assert_eq!(history(&row(&result, "retention.ms")), [("retention.ms", Some("1000"), 1)]);
        assert_eq!(history(&row(&result, "flush.ms")), []);
        let in_sync = row(&result, "min.insync.replicas");
        assert_eq!(in_sync.config_source, 3);
    }
}

#[test]
fn named_keys_are_described_if_they_exist() {
    let mut world = World::with_topics(&[("a", 1)]);
    let names = ["nope", "retention.ms", "cleanup.policy", "retention.ms"];
    let result = describe(&mut world, 4, 2, "a", Some(&names));
    let rows: Vec<_> = result.configs.iter().map(|row| row.name).collect();
    assert_eq!(rows, ["cleanup.policy", "retention.ms"]);
    let result = describe(&mut world, 4, 2, "a", Some(&[]));
    assert_eq!(result.configs.len(), topic_keys().count());
}

#[test]
fn a_broker_is_described_with_its_layers() {
    let mut world = World::new("num.partitions=4\nssl.key.password=secret");
    assert_eq!(
        change(
            &mut world,
            false,
            &[
                (4, "1", &[("log.retention.ms", 0, Some("7"))]),
                (4, "", &[("log.retention.ms", 0, Some("8"))])
            ]
        ),
        [(4, "1", 0), (4, "", 0)]
    );
    let result = describe(&mut world, 4, 4, "1", None);
    assert_eq!(result.configs.len(), broker_keys().count());
    let retention = row(&result, "log.retention.ms");
    assert_eq!((retention.value, retention.config_source, retention.read_only), (Some("7"), 2, false));
    assert_eq!(
        history(&retention)[..2],
        [("log.retention.ms", Some("7"), 2), ("log.retention.ms", Some("8"), 3)]
    );
    let partitions = row(&result, "num.partitions");
    assert_eq!((partitions.value, partitions.config_source, partitions.read_only), (Some("4"), 4, true));
    assert_eq!(history(&partitions), [("num.partitions", Some("4"), 4), ("num.partitions", Some("1"), 5)]);
    let secret = row(&result, "ssl.key.password");
    assert_eq!((secret.value, secret.is_sensitive), (None, true));
    assert!(secret.synonyms.iter().all(|synonym| synonym.value.is_none()));
    let defaults = describe(&mut world, 4, 4, "", None);
    let rows: Vec<_> = defaults.configs.iter().map(|row| (row.name, row.value, row.config_source)).collect();
    assert_eq!(rows, [("log.retention.ms", Some("8"), 3), ("min.insync.replicas", Some("1"), 3)]);
}

#[test]
fn resources_that_cannot_be_described() {
    let mut world = World::with_topics(&[("a", 1)]);
    for (resource_type, name, error) in [
        (2, "x", 3),
        (2, "", 17),
        (2, "a b", 17),
        (4, "7", 42),
        (4, "abc", 42),
        (4, "01", 0),
        (8, "1", 0),
        (8, "9", 42),
        (8, "", 42),
        (16, "x", 0),
        (16, "", 42),
        (32, "g", 0),
        (32, "", 42),
        (0, "x", 42),
        (1, "x", 42),
        (99, "x", 42),
    ] {
        for version in 1..=4 {
            let result = describe(&mut world, version, resource_type, name, Some(&["retention.ms"]));
            assert_eq!(result.error_code, error, "{resource_type} {name:?}");
            assert_eq!(result.configs.len(), 0);
        }
    }
}

#[test]
fn each_resource_has_its_own_result_in_order() {
    let mut world = World::with_topics(&[("a", 1), ("b", 1)]);
    let set: &[_] = &[("retention.ms", 0, Some("5"))];
    let broker: &[_] = &[("log.retention.ms", 0, Some("5"))];
    let changes = [
        (2, "x", set),
        (2, "a", set),
        (2, "b", set),
        (2, "", set),
        (4, "1", broker),
        (4, "9", broker),
        (4, "abc", broker),
        (8, "1", set),
        (16, "x", set),
        (32, "g", set),
        (0, "x", set),
        (2, "b", set),
    ];
    let errors = [3, 0, 42, 42, 0, 42, 42, 42, 42, 40, 42, 42];
    let expect: Vec<_> =
        changes.iter().zip(errors).map(|(&(of, name, _), error)| (of, name, error)).collect();
    let results = change(&mut world, false, &changes);
    assert_eq!(results, expect);
    assert_eq!(replace(&mut world, &changes), expect);
    let of = |name: &str| world.image.topic_by_name(name).unwrap().overrides.get("retention.ms").cloned();
    assert_eq!((of("a").as_deref(), of("b")), (Some("5"), None));
}

#[test]
fn settings_are_set_deleted_extended_and_shortened() {
    let mut world = World::with_topics(&[("a", 1), ("b", 1)]);
    for (settings, validate_only, error, policy) in [
        (&[("cleanup.policy", 2, Some("compact"))][..], true, 0, None),
        (&[("cleanup.policy", 2, Some("compact"))], false, 0, Some("delete,compact")),
        (&[("cleanup.policy", 3, Some("delete"))], false, 0, Some("compact")),
        (&[("cleanup.policy", 9, Some("delete"))], false, 42, Some("compact")),
        (&[("cleanup.policy", 0, None)], false, 42, Some("compact")),
        (&[("cleanup.policy", 2, None)], false, 42, Some("compact")),
        (&[("retention.ms", 2, Some("5"))], false, 40, Some("compact")),
        (&[("cleanup.policy", 0, Some("delete")), ("cleanup.policy", 1, None)], false, 42, Some("compact")),
        (&[("cleanup.policy", 1, Some("x"))], false, 0, None),
    ] {
        let other: &[_] = &[("retention.ms", 0, Some("9"))];
        let results = change(&mut world, validate_only, &[(2, "a", settings), (2, "b", other)]);
        assert_eq!(results, [(2, "a", error), (2, "b", 0)], "{settings:?}");
        let overrides = &world.image.topic_by_name("a").unwrap().overrides;
        assert_eq!(overrides.get("cleanup.policy").map(String::as_str), policy, "{settings:?}");
    }
}

#[test]
fn the_old_request_replaces_everything() {
    let mut world = World::with_topics(&[("a", 1)]);
    assert_eq!(replace(&mut world, &[(2, "a", &[("retention.ms", 0, Some("5"))])]), [(2, "a", 0)]);
    assert_eq!(replace(&mut world, &[(2, "a", &[("segment.ms", 0, None)])]), [(2, "a", 42)]);
    assert_eq!(replace(&mut world, &[(2, "a", &[("segment.ms", 0, Some("6"))])]), [(2, "a", 0)]);
    let overrides: Vec<_> = world.image.topic_by_name("a").unwrap().overrides.keys().cloned().collect();
    assert_eq!(overrides, ["segment.ms"]);
    world.fails = true;
    let results = replace(&mut world, &[(2, "", &[]), (2, "a", &[])]);
    assert_eq!(results, [(2, "", 42), (2, "a", ErrorCode::KAFKA_STORAGE_ERROR as i16)]);
}

#[test]
fn resources_past_the_longest_answer_are_refused() {
    let world = World::new("");
    let resource = DescribeConfigsResource { resource_type: 4, resource_name: "1", configuration_keys: None };
    let request = DescribeConfigsRequest {
        resources: vec![resource; 3].into(),
        include_synonyms: true,
        include_documentation: true,
    };
    let info = RequestInfo { key: ApiKey::DescribeConfigs, version: 4, correlation_id: CORRELATION_ID };
    let one = bytes(&describe_configs::respond(&world.context(), info, &request, 1)).len();
    for (bytes_max, errors) in [(1, [0, 42, 42]), (one + 30_000, [0, 0, 42]), (usize::MAX, [0, 0, 0])] {
        let frame = bytes(&describe_configs::respond(&world.context(), info, &request, bytes_max));
        let mut reader = Reader::new(&frame[4..]);
        frame::decode_response_header(&mut reader, info.key, info.version).unwrap();
        let answer = DescribeConfigsResponse::decode(&mut reader, info.version).unwrap();
        let found: Vec<_> = answer.results.iter().map(|result| result.error_code).collect();
        assert_eq!(found, errors, "{bytes_max}");
    }
}

#[test]
fn a_group_is_described_with_what_stands_behind_its_settings() {
    let mut world = World::new("group.consumer.heartbeat.interval.ms=6000");
    let set = [("consumer.session.timeout.ms", 0, Some("50000"))];
    assert_eq!(change(&mut world, true, &[(32, "g", &set)]), [(32, "g", 0)], "only validated");
    assert_eq!(row(&describe(&mut world, 4, 32, "g", None), set[0].0).config_source, 5);
    let wrong = [("consumer.session.timeout.ms", 0, Some("1"))];
    let told = change(&mut world, false, &[(32, "g", &set), (32, "", &set), (32, "h", &wrong)]);
    assert_eq!(told, [(32, "g", 0), (32, "", 42), (32, "h", 40)]);
    for version in 1..=4 {
        let result = describe(&mut world, version, 32, "g", None);
        assert_eq!((result.error_code, result.configs.len()), (0, group_keys().count()));
        let session = row(&result, "consumer.session.timeout.ms");
        assert_eq!((session.value, session.config_source, session.read_only), (Some("50000"), 8, false));
        assert_eq!(
            history(&session),
            [
                ("consumer.session.timeout.ms", Some("50000"), 8),
                ("group.consumer.session.timeout.ms", Some("45000"), 5)
            ]
        );
        let heartbeat = row(&result, "consumer.heartbeat.interval.ms");
        assert_eq!((heartbeat.value, heartbeat.config_source), (Some("6000"), 4));
    }
    // The old API replaces all.
    let heartbeat = [("consumer.heartbeat.interval.ms", 0, Some("7000"))];
    assert_eq!(replace(&mut world, &[(32, "g", &heartbeat)]), [(32, "g", 0)]);
    let result = describe(&mut world, 4, 32, "g", Some(&["consumer.session.timeout.ms"]));
    assert_eq!((result.configs.len(), row(&result, "consumer.session.timeout.ms").config_source), (1, 5));
}
