//! What a request asks of AWS, in the terms of IAM.

use hyper::http::request::Parts;
use serde_json::Value;

/// The action and the resource that a request is about, such as `dynamodb:GetItem users` or
/// `s3:GetObject lake/features/*`. Of a key in S3 only the first folder is kept, since roles are
/// granted folders. `None` if the request is of no service that the functions use.
pub(crate) fn asked(parts: &Parts, body: &[u8]) -> Option<String> {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let body_json = || serde_json::from_slice::<Value>(body).unwrap_or_default();
    if let Some((service, operation)) = header("x-amz-target").and_then(|t| t.split_once('.')) {
        let body = body_json();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        return Some(match service.split('_').next()? {
            "Kinesis" => format!("kinesis:{operation} {}", text("StreamName")),
            "Firehose" => format!("firehose:{operation} {}", text("DeliveryStreamName")),
            // A batch needs the right to its single operation.
            "AmazonSQS" => {
                let url = text("QueueUrl");
                let queue = url.rsplit('/').next().unwrap_or_default();
                format!("sqs:{} {queue}", operation.trim_end_matches("Batch"))
            }
            "AWSStepFunctions" => {
                let arn = text("stateMachineArn") + &text("executionArn");
                format!("states:{operation} {}", arn.split(':').nth(5)?)
            }
            "DynamoDB" => {
                let batch =
                    body["RequestItems"].as_object().and_then(|tables| tables.keys().next());
                format!("dynamodb:{operation} {}", batch.cloned().unwrap_or(text("TableName")))
            }
            _ => return None,
        });
    }
    let path = parts.uri.path().trim_start_matches('/');
    let query = parts.uri.query().unwrap_or_default();
    if let Some(endpoint) = path.strip_prefix("endpoints/") {
        return Some(format!("sagemaker:InvokeEndpoint {}", endpoint.split('/').next()?));
    }
    if header("content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded")) {
        let field = |name: &str| {
            std::str::from_utf8(body).ok()?.split('&').find_map(|pair| pair.strip_prefix(name))
        };
        let topic = field("TopicArn=")?.rsplit("%3A").next()?;
        return Some(format!("sns:{} {topic}", field("Action=")?));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if key.is_empty() && query.starts_with("delete") {
        // Several objects of one folder.
        let key = std::str::from_utf8(body).ok()?.split("<Key>").nth(1)?.split('<').next()?;
        return Some(format!("s3:DeleteObject {bucket}/{}", objects(key)?));
    }
    if key.is_empty() {
        let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix="))?;
        let prefix = prefix.replace("%2F", "/");
        let folder = prefix.split_once('/').map(|(folder, _)| format!("{folder}/*"));
        return Some(format!("s3:ListBucket {bucket} {}", folder.unwrap_or(prefix)));
    }
    let action = match (parts.method.as_str(), query.contains("uploadId=")) {
        ("GET" | "HEAD", _) => "GetObject",
        ("DELETE", true) => "AbortMultipartUpload",
        ("DELETE", false) => "DeleteObject",
        _ => "PutObject",
    };
    Some(format!("s3:{action} {bucket}/{}", objects(key)?))
}

/// The objects that a right to a key is for: those of its folder. Rights to the parts of imports may be
/// narrower than those to their table.
fn objects(key: &str) -> Option<String> {
    let mut steps = key.split('/');
    let (folder, below) = (steps.next()?, steps.next().unwrap_or_default());
    let is_part = below.replace("%3D", "=").starts_with("import=");
    Some(format!("{folder}/{}*", if is_part { "import=*/" } else { "" }))
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn of(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Option<String> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        asked(&request.body(()).unwrap().into_parts().0, body.as_bytes())
    }

    #[test]
    fn requests_in_the_terms_of_iam() {
        let target = |name| [("x-amz-target", name)];
        let json = |name, body| of("POST", "/", &target(name), body);
        for (expected, found) in [
            (
                "kinesis:PutRecords events",
                json("Kinesis_20131202.PutRecords", r#"{"StreamName": "events"}"#),
            ),
            (
                "dynamodb:BatchGetItem users",
                json("DynamoDB_20120810.BatchGetItem", r#"{"RequestItems": {"users": {}}}"#),
            ),
            ("dynamodb:Query users", json("DynamoDB_20120810.Query", r#"{"TableName": "users"}"#)),
            (
                "sqs:SendMessage dead",
                json("AmazonSQS.SendMessageBatch", r#"{"QueueUrl": "http://x/1/dead"}"#),
            ),
            ("s3:GetObject lake/releases/*", of("GET", "/lake/releases/current.json", &[], "")),
            ("s3:PutObject lake/models/*", of("PUT", "/lake/models/m-1/model.tar.gz", &[], "")),
            (
                "s3:PutObject lake/events/import=*/*",
                of("PUT", "/lake/events/import%3D7f/part-00000.parquet", &[], ""),
            ),
            (
                "s3:DeleteObject lake/events/import=*/*",
                of("POST", "/lake?delete", &[], "<Object><Key>events/import=7f/a</Key></Object>"),
            ),
            (
                "s3:AbortMultipartUpload lake/models/*",
                of("DELETE", "/lake/models/m?uploadId=1", &[], ""),
            ),
            (
                "s3:ListBucket lake features/*",
                of("GET", "/lake?list-type=2&prefix=features%2Ffs-1%2Fusers%2F", &[], ""),
            ),
            (
                "sagemaker:InvokeEndpoint shop",
                of("POST", "/endpoints/shop/invocations", &[], "1,2"),
            ),
            (
                "sns:Publish notices",
                of(
                    "POST",
                    "/",
                    &[("content-type", "application/x-www-form-urlencoded")],
                    "Action=Publish&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3Anotices",
                ),
            ),
        ] {
            assert_eq!(found.as_deref(), Some(expected));
        }
    }
}
