//! Turns a declaration into its codec.
//!
//! Emits `Struct` (schema, read, write, is-default), `Default`, and for a whole message `Message`. Per field it
//! emits a version test and one call; all encoding lives in `protocol::wire`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Expr, ExprLit, Lit, LitStr, Result, ext::IdentExt};

use crate::declaration::{self, DefaultValue, FieldDeclaration, Versions};

pub fn message(input: &DeriveInput) -> Result<TokenStream> {
    let container = declaration::container(input)?;
    let (Some(name), Some(versions)) = (&container.name, container.versions) else {
        return Err(Error::new_spanned(
            &input.ident,
            "a message needs name = \"...\" and versions = \"...\"",
        ));
    };
    let codec = codec(input, name)?;
    let key = container.api.as_ref().or(container.record.as_ref());
    let key = key.map_or(quote!(None), |key| quote!(Some(#key)));
    let text = name.value();
    let kind = match (&container.api, &container.record) {
        (Some(_), _) if text.ends_with("Request") => quote!(Request),
        (Some(_), _) => quote!(Response),
        (_, Some(_)) if text.ends_with("Key") => quote!(CoordinatorKey),
        (_, Some(_)) if text.ends_with("Value") => quote!(CoordinatorValue),
        (_, Some(_)) => quote!(Metadata),
        _ if text.ends_with("Header") => quote!(Header),
        _ => quote!(Data),
    };
    let Versions { first, last } = versions;
    let flexible = if container.flexible == Versions::NONE { i16::MAX } else { container.flexible.first };
    let ident = &input.ident;
    let ty = ident_with_lifetime(input);
    Ok(quote! {
        #codec
        impl<'a> ::protocol::Message<'a> for #ty {
            const API_KEY: Option<i16> = #key;
            const NAME: &'static str = #name;
            const VERSIONS: (i16, i16) = (#first, #last);
            const FLEXIBLE_FROM: i16 = #flexible;
            const SCHEMA: &'static ::protocol::schema::MessageSchema = &::protocol::schema::MessageSchema {
                name: #name,
                kind: ::protocol::schema::MessageKind::#kind,
                key: #key,
                first_version: #first,
                last_version: #last,
                flexible_from: #flexible,
                fields: <#ident as ::protocol::wire::Struct<'static>>::FIELDS,
            };
        }
    })
}

pub fn nested(input: &DeriveInput) -> Result<TokenStream> {
    let container = declaration::container(input)?;
    let name = container.name.unwrap_or_else(|| LitStr::new(&input.ident.to_string(), input.ident.span()));
    codec(input, &name)
}

fn codec(input: &DeriveInput, name: &LitStr) -> Result<TokenStream> {
    let fields = declaration::fields(input)?;
    let ty = ident_with_lifetime(input);
    let schemas = fields.iter().map(schema);
    let is_default = fields.iter().map(is_default);
    let defaults = fields.iter().map(|field| {
        let (ident, value) = (&field.ident, default(field));
        quote!(#ident: #value)
    });
    let read = read(&fields);
    let write = write(&fields);
    Ok(quote! {
        impl<'a> ::protocol::wire::Struct<'a> for #ty {
            const NAME: &'static str = #name;
            const FIELDS: &'static [::protocol::schema::FieldSchema] = &[#(#schemas),*];
            fn read_struct(
                reader: &mut ::protocol::Reader<'a>,
                at: ::protocol::wire::At,
            ) -> Result<Self, ::protocol::DecodeError> {
                #read
            }
            fn write_struct(
                &self,
                writer: &mut ::protocol::Writer,
                at: ::protocol::wire::At,
            ) -> Result<(), ::protocol::EncodeError> {
                #write
            }
            fn is_default(&self) -> bool {
                true #(&& #is_default)*
            }
        }
        impl<'a> Default for #ty {
            fn default() -> Self {
                Self { #(#defaults),* }
            }
        }
    })
}

/// `Name<'a>` or, when nothing in it borrows, `Name`.
fn ident_with_lifetime(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    if input.generics.lifetimes().next().is_some() { quote!(#ident<'a>) } else { quote!(#ident) }
}

fn read(fields: &[FieldDeclaration]) -> TokenStream {
    let values = fields.iter().map(|field| {
        let (ident, default) = (&field.ident, default(field));
        let value = match field.tag {
            Some(_) => default,
            None => {
                let value = read_value(field, &quote!(reader));
                match present(field.versions) {
                    Some(present) => quote!(if #present { #value } else { #default }),
                    None => value,
                }
            }
        };
        quote!(#ident: #value)
    });
    let mut tagged = fields.iter().filter(|field| field.tag.is_some()).peekable();
    if tagged.peek().is_none() {
        return quote! {
            let this = Self { #(#values),* };
            if at.is_flexible() { reader.skip_tags()?; }
            Ok(this)
        };
    }
    let arms = tagged.map(|field| {
        let (ident, tag) = (&field.ident, field.tag);
        let value = read_value(field, &quote!(body));
        let guard = present(field.versions).map(|present| quote!(if #present));
        quote!(#tag #guard => this.#ident = #value,)
    });
    quote! {
        let mut this = Self { #(#values),* };
        if at.is_flexible() {
            for _ in 0..reader.tag_count()? {
                let (tag, mut tag_body) = reader.tag()?;
                let body = &mut tag_body;
                match tag {
                    #(#arms)*
                    _ => continue,
                }
                body.finish_tag()?;
            }
        }
        Ok(this)
    }
}

fn read_value(field: &FieldDeclaration, reader: &TokenStream) -> TokenStream {
    let at = at(field);
    if field.inner.is_some() {
        let nullable = nullable(field);
        quote!(::protocol::wire::read_option(#reader, #at, #nullable)?)
    } else {
        quote!(::protocol::wire::Wire::read(#reader, #at)?)
    }
}

fn write(fields: &[FieldDeclaration]) -> TokenStream {
    let untagged = fields.iter().filter(|field| field.tag.is_none()).map(|field| {
        let value = write_value(field);
        match present(field.versions) {
            None => quote!(#value?;),
            Some(present) => {
                let absent = refuse_unless_default(field);
                quote!(if #present { #value?; } #absent)
            }
        }
    });
    let mut tagged: Vec<_> = fields.iter().filter(|field| field.tag.is_some()).collect();
    tagged.sort_by_key(|field| field.tag);
    if tagged.is_empty() {
        return quote! {
            #(#untagged)*
            if at.is_flexible() { writer.tag_count(0); }
            Ok(())
        };
    }
    let counts = tagged.iter().map(|field| {
        let (present, is_default) = (present(field.versions).unwrap_or(quote!(true)), is_default(field));
        let absent = refuse_unless_default(field);
        quote!(if #present { tags += u32::from(!(#is_default)); } #absent)
    });
    let values = tagged.iter().map(|field| {
        let (present, is_default) = (present(field.versions).unwrap_or(quote!(true)), is_default(field));
        let (tag, value) = (field.tag, write_value(field));
        quote! {
            if #present && !(#is_default) {
                let tag = writer.begin_tag(#tag);
                #value?;
                writer.end_tag(tag);
            }
        }
    });
    quote! {
        #(#untagged)*
        let mut tags = 0u32;
        #(#counts)*
        if at.is_flexible() {
            writer.tag_count(tags);
            #(#values)*
        }
        Ok(())
    }
}

fn write_value(field: &FieldDeclaration) -> TokenStream {
    let (ident, at) = (&field.ident, at(field));
    if field.inner.is_some() {
        let (nullable, name) = (nullable(field), name(field));
        quote!(::protocol::wire::write_option(&self.#ident, writer, #at, #nullable, #name))
    } else {
        quote!(::protocol::wire::Wire::write(&self.#ident, writer, #at))
    }
}

/// What happens to a value set in a version that lacks the field: nothing if Kafka calls the field ignorable.
fn refuse_unless_default(field: &FieldDeclaration) -> TokenStream {
    if field.ignorable {
        return quote!();
    }
    let (is_default, name) = (is_default(field), name(field));
    quote!(else if !(#is_default) {
        return Err(::protocol::EncodeError::FieldNotInVersion { field: #name, version: at.version() });
    })
}

fn is_default(field: &FieldDeclaration) -> TokenStream {
    let ident = &field.ident;
    match &field.default {
        DefaultValue::Null => quote!(self.#ident.is_none()),
        DefaultValue::Literal(Expr::Lit(ExprLit { lit: Lit::Bool(_), .. })) => quote!(self.#ident),
        DefaultValue::Literal(value) => quote!(self.#ident == #value),
        DefaultValue::Zero if field.inner.is_some() => {
            quote!(self.#ident.as_ref().is_some_and(::protocol::wire::Wire::is_zero))
        }
        DefaultValue::Zero => quote!(::protocol::wire::Wire::is_zero(&self.#ident)),
    }
}

fn default(field: &FieldDeclaration) -> TokenStream {
    match &field.default {
        DefaultValue::Null => quote!(None),
        DefaultValue::Literal(value) => quote!(#value),
        DefaultValue::Zero if field.inner.is_some() => quote!(Some(Default::default())),
        DefaultValue::Zero => quote!(Default::default()),
    }
}

fn schema(field: &FieldDeclaration) -> TokenStream {
    let (name, versions, nullables) = (name(field), range(field.versions), range(field.nullable));
    let ty = field.inner.as_ref().unwrap_or(&field.ty);
    let tag = field.tag.map_or(quote!(None), |tag| quote!(Some(#tag)));
    let default = match &field.default {
        DefaultValue::Zero => quote!(Zero),
        DefaultValue::Null => quote!(Null),
        DefaultValue::Literal(Expr::Lit(ExprLit { lit: Lit::Bool(_), .. })) => quote!(True),
        DefaultValue::Literal(value) => quote!(Int(#value as i64)),
    };
    let (ignorable, flexible) = (field.ignorable, field.flexible);
    quote! {
        ::protocol::schema::FieldSchema {
            name: #name,
            kind: <#ty as ::protocol::wire::Wire<'a>>::KIND,
            versions: #versions,
            nullable: #nullables,
            tag: #tag,
            default: ::protocol::schema::DefaultValue::#default,
            ignorable: #ignorable,
            flexible: #flexible,
        }
    }
}

/// The test that a version has the field; none when every version has it.
fn present(versions: Versions) -> Option<TokenStream> {
    let Versions { first, last } = versions;
    match (first, last) {
        (0, i16::MAX) => None,
        (first, i16::MAX) => Some(quote!(at.is_from(#first))),
        (first, last) => Some(quote!(at.is_in(#first, #last))),
    }
}

fn nullable(field: &FieldDeclaration) -> TokenStream {
    if field.nullable == Versions::ALL {
        quote!(true)
    } else {
        present(field.nullable).unwrap_or(quote!(true))
    }
}

fn range(versions: Versions) -> TokenStream {
    let Versions { first, last } = versions;
    quote!(::protocol::schema::Versions { first: #first, last: #last })
}

fn at(field: &FieldDeclaration) -> TokenStream {
    if field.flexible { quote!(at) } else { quote!(at.inflexible()) }
}

fn name(field: &FieldDeclaration) -> String {
    field.ident.unraw().to_string()
}
