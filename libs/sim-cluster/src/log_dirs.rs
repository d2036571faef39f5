//! Where replicas lie on brokers' disks: placement, deletion that frees space only later, strays that nothing ever frees, failed
//! directories. Must not know why replicas come and go.

use crate::world::{Copy, Grave, World};

impl World {
    /// Makes an empty copy at the broker's emptiest sound directory; `None` when it has none.
    pub fn place_copy(&self, broker: i32, start: u64) -> Option<Copy> {
        let dirs = &self.brokers.get(&broker)?.log_dirs;
        let held = |dir: usize| {
            let partitions = self.topics.values().flat_map(|topic| &topic.partitions);
            partitions.filter_map(|partition| partition.copies.get(&broker)).filter(|copy| copy.log_dir == dir).count()
        };
        let log_dir = (0..dirs.len()).filter(|&dir| !dirs[dir].failed).min_by_key(|&dir| (held(dir), dir))?;
        Some(Copy { start, end: start, log_dir, caught_up_at: self.now, lost: false, future: None })
    }

    /// Deletes what live brokers hold beyond the replica list. Dead ones keep it until they return.
    pub fn drop_unlisted_copies(&mut self, topic: &str, partition: u32) {
        let until = self.now + self.timing.file_delete_delay;
        let Some(present) = self.topics.get_mut(topic).and_then(|topic| topic.partitions.get_mut(partition as usize)) else {
            return;
        };
        let leaving: Vec<i32> =
            present.copies.keys().copied().filter(|broker| !present.state.replicas.contains(broker)).collect();
        for broker in leaving.into_iter().filter(|broker| self.brokers.get(broker).is_some_and(|broker| broker.serves())) {
            if let Some(copy) = present.copies.remove(&broker) {
                self.graves.push(Grave { until, broker, log_dir: copy.log_dir, bytes: copy.size_bytes() });
            }
        }
    }

    /// A broker that starts finds replicas that were reassigned away meanwhile: it sets their files aside and forgets them.
    pub fn turn_unlisted_copies_stray(&mut self, id: i32) {
        let mut strays = Vec::new();
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            let leaves = !partition.state.replicas.contains(&id) || partition.copies.get(&id).is_some_and(|copy| copy.lost);
            if leaves && let Some(copy) = partition.copies.remove(&id) {
                strays.push(copy);
            }
        }
        for copy in strays {
            self.leave_stray(id, &copy);
        }
    }

    fn leave_stray(&mut self, id: i32, copy: &Copy) {
        if let Some(dir) = self.brokers.get_mut(&id).and_then(|broker| broker.log_dirs.get_mut(copy.log_dir)) {
            dir.stray_bytes += copy.size_bytes();
        }
    }

    pub fn delete_topic(&mut self, name: &str) -> bool {
        let Some(topic) = self.topics.remove(name) else { return false };
        self.configs.forget_topic(name);
        self.seen_configs.forget_topic(name);
        self.throttled = self.configs.throttle_table();
        self.groups.retain(|group| group.topic != name);
        let until = self.now + self.timing.file_delete_delay;
        let shown_until = self.now + self.timing.view_lag;
        if topic.seen_from <= self.now {
            self.fading.insert(name.to_owned(), (shown_until, topic.clone()));
        }
        for (broker, copy) in topic.partitions.into_iter().flat_map(|partition| partition.copies) {
            match self.brokers.get(&broker).is_some_and(|broker| broker.serves()) {
                true => self.graves.push(Grave { until, broker, log_dir: copy.log_dir, bytes: copy.size_bytes() }),
                false => self.leave_stray(broker, &copy),
            }
        }
        true
    }

    /// Frees the space of files deleted long enough ago.
    pub fn bury(&mut self) {
        let now = self.now;
        self.graves.retain(|grave| grave.until > now);
    }

    /// One directory fails; the broker lives on without the replicas in it.
    pub fn fail_log_dir(&mut self, id: i32, log_dir: usize) {
        if let Some(dir) = self.brokers.get_mut(&id).and_then(|broker| broker.log_dirs.get_mut(log_dir)) {
            dir.failed = true;
        }
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            if let Some(copy) = partition.copies.get_mut(&id).filter(|copy| copy.log_dir == log_dir) {
                copy.lost = true;
            }
        }
        self.withdraw(id, |partition| partition.copies.get(&id).is_some_and(|copy| copy.lost));
    }

    /// Begins to move a replica to the next directory of its broker; it is there after `milliseconds`. `false`: there is none.
    pub fn move_between_log_dirs(&mut self, topic: &str, partition: u32, id: i32, milliseconds: i64) -> bool {
        let until = self.now + milliseconds;
        let Some(dirs) = self.brokers.get(&id).map(|broker| broker.log_dirs.len()) else { return false };
        let Some(copy) = self.partition_mut(topic, partition).and_then(|partition| partition.copies.get_mut(&id)) else {
            return false;
        };
        copy.future = Some(((copy.log_dir + 1) % dirs, until));
        true
    }

    /// What has arrived in its new directory leaves the old one.
    pub fn finish_directory_moves(&mut self) {
        let now = self.now;
        let copies = self.topics.values_mut().flat_map(|topic| &mut topic.partitions).flat_map(|it| it.copies.values_mut());
        for copy in copies {
            if let Some((log_dir, _)) = copy.future.filter(|(_, until)| *until <= now) {
                copy.log_dir = log_dir;
                copy.future = None;
            }
        }
    }

    /// Bytes that one directory's files take, shown or not.
    pub fn used_bytes(&self, id: i32, log_dir: usize) -> u64 {
        let partitions = self.topics.values().flat_map(|topic| &topic.partitions);
        let copies = partitions.filter_map(|partition| partition.copies.get(&id)).filter(|copy| copy.log_dir == log_dir);
        let graves = self.graves.iter().filter(|grave| grave.broker == id && grave.log_dir == log_dir);
        let strays = self.brokers.get(&id).and_then(|broker| broker.log_dirs.get(log_dir)).map_or(0, |dir| dir.stray_bytes);
        copies.map(Copy::size_bytes).sum::<u64>() + graves.map(|grave| grave.bytes).sum::<u64>() + strays
    }
}
