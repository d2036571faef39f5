//! The command line: its grammar, and who carries out what. Must not know how anything is done: one file per family of commands.

pub mod audit;
pub mod broker;
pub mod client;
pub mod cluster;
pub mod configuration;
pub mod confirm;
pub mod exit;
pub mod goal_flags;
pub mod lab;
pub mod limit_flags;
pub mod log_offline;
pub mod output;
pub mod partition;
pub mod plan;
pub mod plan_offline;
pub mod plan_view;
pub mod status;
pub mod task;
pub mod task_progress;
pub mod task_view;
pub mod throttle;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use exit::CliError;
use output::{Format, Output};

/// Control center for fleets of Kafka clusters: watches, plans, moves in recorded steps, never hurts the traffic.
#[derive(Parser, Debug)]
#[command(name = "ballast", version, max_term_width = 110, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub options: ClientOptions,
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command that talks to a server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Client options")]
pub struct ClientOptions {
    /// Address of the server.
    #[arg(long, global = true, value_name = "URL", env = "BALLAST_SERVER", default_value = "http://127.0.0.1:7420")]
    pub server: String,
    /// How to print [default: table].
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// The cluster; may be left out when there is only one.
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Why, for the audit.
    #[arg(long, global = true, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do not ask.
    #[arg(long, short = 'y', global = true)]
    pub yes: bool,
    /// Repeated with the same command it gives the same answer [default: a new one].
    #[arg(long, global = true, value_name = "UUID")]
    pub request_id: Option<uuid::Uuid>,
    /// Check everything, change nothing.
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// No colours; also by NO_COLOR.
    #[arg(long, global = true, hide = true)]
    pub no_color: bool,
}

impl ClientOptions {
    pub fn output(&self) -> Output {
        self.output_or(Format::Table)
    }

    /// For commands whose answer is a document, whatever the terminal.
    pub fn output_or(&self, default: Format) -> Output {
        Output::new(self.output.unwrap_or(default), self.no_color || no_color())
    }

    pub fn cluster(&self) -> String {
        self.cluster.clone().unwrap_or_default()
    }

    /// The cluster as a sentence names it.
    pub fn cluster_named(&self) -> String {
        self.cluster.as_ref().map_or_else(|| "the cluster".to_owned(), |cluster| format!("cluster {cluster}"))
    }

    pub fn reason(&self) -> String {
        self.reason.clone().unwrap_or_default()
    }

    pub fn request_id(&self) -> String {
        self.request_id.unwrap_or_else(uuid::Uuid::new_v4).to_string()
    }
}

#[expect(clippy::disallowed_methods, reason = "NO_COLOR is the user's wish to every program")]
fn no_color() -> bool {
    std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty())
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the control center.
    Serve(ServeArgs),
    /// Watch Ballast heal a simulated cluster: no Kafka needed, under a minute.
    Demo(DemoArgs),
    /// How the clusters are and what runs.
    Status,
    /// The watched clusters.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Brokers of a cluster.
    #[command(subcommand)]
    Broker(broker::BrokerCommand),
    /// Partitions of a cluster.
    #[command(subcommand)]
    Partition(partition::PartitionCommand),
    /// Plans: what could move, and what it would cost.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Clusters that nobody has to own.
    #[command(subcommand)]
    Lab(lab::LabCommand),
    /// Tasks: plans being carried out.
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// Limits on migration traffic.
    #[command(subcommand)]
    Throttle(throttle::ThrottleCommand),
    /// What happened, who did it and why.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// The event log of a stopped server.
    #[command(subcommand)]
    Log(log_offline::LogCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    /// Print a completion script for a shell.
    Completion {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the version.
    Version,
}

#[derive(Args, Debug)]
pub struct ServeArgs {
    /// TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Only these roles; all of them for now.
    #[arg(long, value_delimiter = ',', value_name = "ROLE,..")]
    pub roles: Vec<String>,
    /// Instead of the configuration's.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Instead of the configuration's.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Listen off loopback although nobody is authenticated yet.
    #[arg(long)]
    pub insecure: bool,
}

#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Brokers of the simulated cluster.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(6..=60))]
    pub brokers: u32,
    /// Another seed is another cluster.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How many times as fast as real time everything runs.
    #[arg(long, default_value_t = 8.0, value_parser = parse_speed)]
    pub speed: f64,
    /// No colours, no bars.
    #[arg(long)]
    pub plain: bool,
}

fn parse_speed(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|speed| (1.0..=50.0).contains(speed)).ok_or_else(|| "a number from 1 to 50".to_owned())
}

/// Carries out a client command or one that needs no server. `serve` and `demo` are started by `main`.
pub async fn run(cli: Cli) -> Result<(), CliError> {
    let options = cli.options;
    match cli.command {
        Command::Serve(args) => crate::serve::run(args).await,
        Command::Demo(args) => crate::demo::run(args, options.output().color).await,
        Command::Status => status::run(&options).await,
        Command::Cluster(command) => cluster::run(&options, command).await,
        Command::Broker(command) => broker::run(&options, command).await,
        Command::Partition(command) => partition::run(&options, command).await,
        Command::Plan(command) => plan::run(&options, command).await,
        Command::Lab(command) => lab::run(command),
        Command::Task(command) => task::run(&options, command).await,
        Command::Throttle(command) => throttle::run(&options, command).await,
        Command::Audit(command) => audit::run(&options, command).await,
        Command::Log(command) => log_offline::run(&options, command).await,
        Command::Config(command) => configuration::run(command),
        Command::Completion { shell } => completion(shell),
        Command::Version => version(&options),
    }
}

fn completion(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ballast", &mut script);
    output::raw(&script)
}

fn version(options: &ClientOptions) -> Result<(), CliError> {
    let version = env!("CARGO_PKG_VERSION");
    options.output().one(&serde_json::json!({"version": version}), version, |_| format!("ballast {version}"))
}

#[cfg(test)]
mod tests;
