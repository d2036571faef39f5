//! Prints a table of the house: lines, longest file and longest function of every crate. `cargo run -p ballast-tidy --example sizes`.

use std::collections::BTreeMap;

use ballast_tidy::{files, text};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

#[derive(Default)]
struct Size {
    lines: usize,
    file: (usize, String),
    function: (usize, String),
}

#[derive(Default)]
struct Longest {
    found: (usize, String),
}

impl Longest {
    fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let lines = span.end().line - span.start().line + 1;
        if lines > self.found.0 {
            self.found = (lines, name.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Longest {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

fn main() {
    let mut crates: BTreeMap<String, Size> = BTreeMap::new();
    for file in files(&["rs"]) {
        let path = file.display().to_string();
        let name: Vec<&str> = path.split('/').take(2).collect();
        let size = crates.entry(name.join("/")).or_default();
        let source = text(&file);
        let lines = source.lines().count();
        size.lines += lines;
        size.file = size.file.clone().max((lines, path));
        if let Ok(parsed) = syn::parse_file(&source) {
            let mut longest = Longest::default();
            longest.visit_file(&parsed);
            size.function = size.function.clone().max(longest.found);
        }
    }
    println!("{:24} {:>6}  {:>4} {:52} {:>4} longest function", "crate", "lines", "max", "longest file", "max");
    for (name, size) in &crates {
        println!("{name:24} {:>6}  {:>4} {:52} {:>4} {}", size.lines, size.file.0, size.file.1, size.function.0, size.function.1);
    }
    println!("{:24} {:>6}", "all", crates.values().map(|size| size.lines).sum::<usize>());
}
