//! What an MLflow server does with the requests that an export makes, kept in memory.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// An MLflow server, or something that answers every request alike.
pub(crate) struct Server {
    pub(crate) url: String,
    store: Arc<Mutex<Store>>,
}

/// What is kept.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) experiments: Vec<Value>,
    pub(crate) runs: Vec<Run>,
    /// Methods and paths, in order.
    pub(crate) asked: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Run {
    pub(crate) experiment: String,
    pub(crate) name: String,
    pub(crate) deleted: bool,
    pub(crate) status: String,
    pub(crate) times: [Option<i64>; 2],
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) metrics: Vec<Value>,
}

impl Run {
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|tag| tag.0 == key)
            .map(|tag| tag.1.as_str())
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::answering(None)
    }

    /// A server that gives this answer whatever it is asked: a status line and a body.
    pub(crate) fn always(status: &'static str, body: &'static str) -> Self {
        Self::answering(Some((status, body)))
    }

    fn answering(always: Option<(&'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let store = Arc::new(Mutex::new(Store::default()));
        let kept = Arc::clone(&store);
        // Ends with the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (path, body) = request(&stream);
                let (status, answer) = match always {
                    Some((status, body)) => (status.to_owned(), body.to_owned()),
                    None => kept.lock().unwrap().answer(&path, &body),
                };
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
                    answer.len()
                );
            }
        });
        Self { url, store }
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&mut Store) -> T) -> T {
        at(&mut self.store.lock().unwrap())
    }
}

fn request(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let path = line.rsplit_once(' ').unwrap().0.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, serde_json::from_slice(&body).unwrap_or_default())
}

/// A list of keys and values.
fn pairs(list: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = list.as_array().into_iter().flatten();
    all.map(|pair| (text(&pair["key"]), text(&pair["value"])))
        .collect()
}

impl Store {
    fn answer(&mut self, path: &str, body: &Value) -> (String, String) {
        self.asked.push(path.to_owned());
        match self.done(path, body) {
            Ok(answer) => ("200 OK".to_owned(), answer.to_string()),
            Err(code) => (
                "404 NOT FOUND".to_owned(),
                json!({ "error_code": code, "message": "as it is" }).to_string(),
            ),
        }
    }

    fn done(&mut self, path: &str, body: &Value) -> Result<Value, &'static str> {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (method, path) = path.split_once(" /api/2.0/mlflow/").unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match (method, path) {
            ("GET", "experiments/get-by-name") => {
                let name = query.strip_prefix("experiment_name=").unwrap();
                let mut all = self.experiments.iter();
                let found = all.find(|experiment| experiment["encoded"] == name);
                let found = found.ok_or("RESOURCE_DOES_NOT_EXIST")?;
                Ok(json!({ "experiment": found }))
            }
            ("POST", "experiments/create") => {
                let id = format!("{}", 100 + self.experiments.len());
                self.experiments.push(json!({
                    "experiment_id": id,
                    "name": text("name"),
                    // Of all letters the tests use a blank.
                    "encoded": text("name").replace(' ', "%20"),
                    "lifecycle_stage": "active",
                }));
                Ok(json!({ "experiment_id": id }))
            }
            ("POST", "runs/search") => {
                let filter = text("filter");
                let found = self.runs.iter().enumerate().filter(|(_, run)| {
                    let tag = format!(
                        "tags.`siloscope.plan` = '{}'",
                        run.tag("siloscope.plan").unwrap()
                    );
                    !run.deleted
                        && body["experiment_ids"] == json!([run.experiment])
                        && filter == tag
                });
                let shown = found.map(|(i, run)| {
                    let tags = run.tags.iter();
                    let tags: Vec<Value> = tags
                        .map(|(key, value)| json!({ "key": key, "value": value }))
                        .collect();
                    json!({ "info": { "run_id": i.to_string() }, "data": { "tags": tags } })
                });
                let shown: Vec<Value> = shown.collect();
                // As MLflow has it: what is empty is left out.
                Ok(if shown.is_empty() {
                    json!({})
                } else {
                    json!({ "runs": shown })
                })
            }
            ("POST", "runs/create") => {
                self.runs.push(Run {
                    experiment: text("experiment_id"),
                    name: text("run_name"),
                    status: "RUNNING".to_owned(),
                    times: [body["start_time"].as_i64(), None],
                    tags: pairs(&body["tags"]),
                    ..Run::default()
                });
                let id = (self.runs.len() - 1).to_string();
                Ok(json!({ "run": { "info": { "run_id": id } } }))
            }
            ("POST", _) => {
                let place: Option<usize> = text("run_id").parse().ok();
                let run = place.and_then(|place| self.runs.get_mut(place));
                let run = run.ok_or("RESOURCE_DOES_NOT_EXIST")?;
                match path {
                    "runs/log-batch" => {
                        let metrics = body["metrics"].as_array().cloned().unwrap_or_default();
                        let params = pairs(&body["params"]);
                        if metrics.len() > 1000 || params.len() > 100 {
                            return Err("INVALID_PARAMETER_VALUE");
                        }
                        run.metrics.extend(metrics);
                        run.params.extend(params);
                        run.tags.extend(pairs(&body["tags"]));
                    }
                    "runs/delete" => run.deleted = true,
                    "runs/update" => {
                        run.status = text("status");
                        run.times[1] = body["end_time"].as_i64();
                    }
                    _ => return Err("ENDPOINT_NOT_FOUND"),
                }
                Ok(json!({}))
            }
            _ => Err("ENDPOINT_NOT_FOUND"),
        }
    }
}
