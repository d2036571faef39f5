//! `lab cluster`: a generated cluster as a snapshot file. Must not know how one comes about.

use std::io::{BufWriter, Write as _};

use ballast_cluster::BrokerId;
use ballast_lab::Shape;
use ballast_rpc::Reason;
use clap::{Args, Subcommand};

use super::exit::{CliError, Exit};

#[derive(Subcommand, Debug)]
pub enum LabCommand {
    /// A realistic generated cluster as ballast.snapshot.v1; the same flags give the same one on every machine.
    #[command(after_help = presets())]
    Cluster(ClusterArgs),
}

fn presets() -> String {
    let lines = Shape::presets().map(|(name, text)| format!("  {name:<14}{text}"));
    std::iter::once("Presets:".to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

#[derive(Args, Debug)]
pub struct ClusterArgs {
    /// A shape with a name; other flags change it.
    #[arg(long, value_name = "NAME", required_unless_present_all = ["brokers", "topics", "partitions"])]
    pub preset: Option<String>,
    #[arg(long, value_name = "N")]
    pub brokers: Option<u32>,
    #[arg(long, value_name = "N")]
    pub topics: Option<u32>,
    /// Of all topics together.
    #[arg(long, value_name = "N")]
    pub partitions: Option<u32>,
    /// Replicas of each partition [default: 3].
    #[arg(long, value_name = "N")]
    pub replication: Option<u32>,
    /// 0: each broker is a rack of its own [default: 3].
    #[arg(long, value_name = "N")]
    pub racks: Option<u32>,
    /// Resource groups of equal size [default: 1].
    #[arg(long, value_name = "N")]
    pub groups: Option<u32>,
    /// Brokers of half the usual capacity [default: 20].
    #[arg(long, value_name = "PERCENT")]
    pub small: Option<u32>,
    /// Brokers of twice the usual capacity [default: 20].
    #[arg(long, value_name = "PERCENT")]
    pub large: Option<u32>,
    /// How unevenly replicas were placed, in hundredths of a logarithmic deviation [default: 40].
    #[arg(long, value_name = "N")]
    pub skew: Option<u32>,
    /// The same for leaders [default: 30].
    #[arg(long, value_name = "N")]
    pub leader_skew: Option<u32>,
    /// Partitions with twenty times their traffic, in a thousand [default: 0].
    #[arg(long, value_name = "N")]
    pub hot: Option<u32>,
    /// Partitions placed without regard to racks, in a thousand [default: 0].
    #[arg(long, value_name = "N")]
    pub careless: Option<u32>,
    /// Brokers that died with what they held.
    #[arg(long, value_name = "N")]
    pub dead: Option<u32>,
    /// Brokers that hold nothing yet.
    #[arg(long, value_name = "N")]
    pub new: Option<u32>,
    /// Brokers to be emptied.
    #[arg(long, value_name = "N")]
    pub draining: Option<u32>,
    /// Replicas that broker 1 holds at least.
    #[arg(long, value_name = "N")]
    pub crowd: Option<u32>,
    /// Another seed is another cluster.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Afterwards the traffic of 1 % of the topics shifts; another seed shifts others.
    #[arg(long, value_name = "SEED")]
    pub shift: Option<u64>,
    /// Afterwards these brokers die.
    #[arg(long, value_delimiter = ',', value_name = "ID,..")]
    pub kill: Vec<i32>,
}

pub fn run(command: LabCommand) -> Result<(), CliError> {
    let LabCommand::Cluster(args) = command;
    let shape = args.shape()?;
    shape.check().map_err(|error| CliError::usage(error.to_string()))?;
    let mut snapshot = ballast_lab::cluster(&shape);
    if let Some(seed) = args.shift {
        ballast_lab::shift(&mut snapshot, seed);
    }
    for id in args.kill.into_iter().map(BrokerId) {
        if snapshot.broker(id).is_none() {
            return Err(CliError::usage(format!(
                "there is no broker {id} to die: they are numbered from 1 to {}",
                shape.brokers
            )));
        }
        ballast_lab::kill(&mut snapshot, id);
    }
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let written = ballast_snapshot_file::write_to(&snapshot, &mut out).and_then(|()| writeln!(out)).and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(()),
        // The reader has seen enough (`| head`): not an error of ours.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(Exit::Ok as i32),
        Err(error) => Err(CliError::new(Exit::Error, Reason::Internal, format!("cannot write to standard output: {error}"))),
    }
}

impl ClusterArgs {
    fn shape(&self) -> Result<Shape, CliError> {
        let mut shape = match &self.preset {
            Some(name) => Shape::preset(name).ok_or_else(|| {
                let names: Vec<&str> = Shape::presets().map(|(name, _)| name).collect();
                CliError::usage(format!("there is no preset {name:?}: one of {}", names.join(", ")))
            })?,
            None => Shape::new(0, 0, 0),
        };
        let replication = self.replication.or_else(|| self.partitions.map(|_| shape.replication().max(1)));
        let replication = if self.preset.is_none() { Some(self.replication.unwrap_or(3)) } else { replication };
        let given = [
            (&mut shape.brokers, self.brokers),
            (&mut shape.topics, self.topics),
            (&mut shape.partitions, self.partitions),
            (&mut shape.racks, self.racks),
            (&mut shape.groups, self.groups),
            (&mut shape.small_percent, self.small),
            (&mut shape.large_percent, self.large),
            (&mut shape.placement_skew, self.skew),
            (&mut shape.leader_skew, self.leader_skew),
            (&mut shape.hot_per_mille, self.hot),
            (&mut shape.careless_per_mille, self.careless),
            (&mut shape.dead, self.dead),
            (&mut shape.new, self.new),
            (&mut shape.draining, self.draining),
            (&mut shape.crowd, self.crowd),
        ];
        for (figure, given) in given {
            *figure = given.unwrap_or(*figure);
        }
        if let Some(replication) = replication {
            shape.replicas = shape
                .partitions
                .checked_mul(replication)
                .ok_or_else(|| CliError::usage("more than 4294967295 replicas are more than anybody has"))?;
        }
        shape.seed = self.seed;
        Ok(shape)
    }
}
