//! Tables as Parquet files.

use super::{Column, Table};
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use std::sync::Arc;

impl Table {
    /// The table as a Parquet file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn to_parquet(&self) -> Result<Vec<u8>, ParquetError> {
        let fields = self.0.iter().map(Column::field).collect::<Result<_, _>>()?;
        let schema = Arc::new(
            Type::group_type_builder("table")
                .with_fields(fields)
                .build()?,
        );
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("siloscope".to_owned())
            .build();
        let mut bytes = Vec::new();
        let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))?;
        let mut group = file.next_row_group()?;
        for column in &self.0 {
            let mut writer = group
                .next_column()?
                .expect("a column for every field of the schema");
            match column {
                Column::Integers(_, values) => {
                    writer
                        .typed::<Int32Type>()
                        .write_batch(values, None, None)?;
                }
                Column::Counts(_, values) => {
                    let values: Vec<i64> = values.iter().map(|value| value.cast_signed()).collect();
                    writer
                        .typed::<Int64Type>()
                        .write_batch(&values, None, None)?;
                }
                Column::Texts(_, values) => {
                    let values: Vec<ByteArray> = values
                        .iter()
                        .map(|text| ByteArray::from(text.as_str()))
                        .collect();
                    writer
                        .typed::<ByteArrayType>()
                        .write_batch(&values, None, None)?;
                }
                Column::Reals(_, values) => {
                    let levels: Vec<i16> = values
                        .iter()
                        .map(|value| i16::from(value.is_some()))
                        .collect();
                    let there: Vec<f64> = values.iter().flatten().copied().collect();
                    writer
                        .typed::<DoubleType>()
                        .write_batch(&there, Some(&levels), None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        file.close()?;
        Ok(bytes)
    }
}

impl Column {
    fn field(&self) -> Result<Arc<Type>, ParquetError> {
        let builder = match self {
            Self::Integers(name, _) => Type::primitive_type_builder(name, Physical::INT32)
                .with_repetition(Repetition::REQUIRED),
            Self::Counts(name, _) => Type::primitive_type_builder(name, Physical::INT64)
                .with_repetition(Repetition::REQUIRED)
                .with_converted_type(ConvertedType::UINT_64),
            Self::Reals(name, _) => Type::primitive_type_builder(name, Physical::DOUBLE)
                .with_repetition(Repetition::OPTIONAL),
            Self::Texts(name, _) => Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(Repetition::REQUIRED)
                .with_converted_type(ConvertedType::UTF8),
        };
        builder.build().map(Arc::new)
    }
}
